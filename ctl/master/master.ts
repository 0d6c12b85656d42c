/**
 * A master: the process that keeps a session for the commands that come, as ssh has it, so that they need no login.
 *
 * The command that logged in hands its session over when it is done (handing-over.ts), so there is one login, no place among the
 * server's sessions besides it, and no secret but the keys of that connection: a master cannot log in again. Several commands
 * share the session at a time, each through a Relay. They are those that ask and change little: what moves much data has a
 * connection of its own, as all that passes here is copied twice more, and as it may have to connect again.
 *
 * Invariants:
 * - it ends when no command came for so long, when the server ends the session, or when it is told to; its socket goes first;
 * - at one place one master listens: who finds another one there logs out. (Of two that replace a killed one in the same moment
 *   one may be left that nobody finds, until it has been idle for long enough.)
 * - a command is admitted only while the server is known to be there: it was heard just now, or answers first.
 */
import { once } from 'node:events';
import { linkSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AeadProvider } from '../../protocol/transport/aead.js';
import { Client, type Detached } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import { HandshakeStream } from '../../protocol/transport/handshake-stream.js';
import { readGreeting, sayReady, type Description } from './greeting.js';
import type { MasterOptions } from './handing-over.js';
import { Relay, type Shared } from './relay.js';

/** A server that was heard so lately is there (milliseconds); else it is asked, and may take so long. */
const FRESH_MS = 5_000;
const PATIENCE_MS = 3_000;

export class Master {
  readonly #options: MasterOptions;
  readonly #client: Client;
  readonly #shared: Shared;
  readonly #server: Server;
  readonly #relays = new Set<Relay>();
  /** Commands that asked to join, and have no Relay yet. */
  #joining = 0;
  #lastChange: number;
  /** By the clock, which goes on while the machine sleeps. */
  #heardAt = Date.now();
  #isListening = false;
  #idle: NodeJS.Timeout | undefined;
  #resolveStopped: () => void = () => undefined;
  readonly #stopped: Promise<void>;

  constructor(connection: Detached, aead: AeadProvider, options: MasterOptions) {
    this.#options = options;
    this.#lastChange = options.lastChange;
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
    this.#client = Client.over(connection, {
      aead,
      notifications: { shutdown: () => this.#retire(), busy: () => this.#shared.heard() },
    });
    this.#shared = {
      client: this.#client,
      nextChange: () => (this.#lastChange += 1),
      heard: () => {
        this.#heardAt = Date.now();
      },
    };
    this.#server = createServer((socket) => void this.#serve(socket));
  }

  /** Listens, until it is to end; then logs out. */
  async run(): Promise<void> {
    if (await this.#listen()) {
      this.#rest();
      await Promise.race([this.#stopped, this.#client.closed]);
    }
    this.#unlisten();
    this.#client.request('logout', [], undefined, () => undefined);
    // What has no answer now is told why.
    await this.#client.close();
    await Promise.all([...this.#relays].map((relay) => relay.end()));
  }

  /** Ends it now; commands that use it fail. */
  stop(): void {
    this.#resolveStopped();
  }

  /** Takes no more commands, and ends when there are none. */
  #retire(): void {
    this.#unlisten();
    this.#rest();
  }

  /** Returns whether the place is this one's. */
  async #listen(): Promise<boolean> {
    const { place } = this.#options;
    const own = `${place}.${process.pid}`;
    this.#server.listen(own);
    try {
      await once(this.#server, 'listening');
      // Unlike a rename, this fails where another one is there.
      if (!tryLink(own, place)) {
        if (await answers(place)) return false;
        rmSync(place, { force: true });
        if (!tryLink(own, place)) return false;
      }
      this.#isListening = true;
      return true;
    } catch {
      return false;
    } finally {
      rmSync(own, { force: true });
    }
  }

  #unlisten(): void {
    // The name first: who comes then finds nobody, and no other master.
    if (this.#isListening) rmSync(this.#options.place, { force: true });
    this.#isListening = false;
    this.#server.close();
  }

  async #serve(socket: Socket): Promise<void> {
    const stream = new HandshakeStream(socket);
    try {
      switch (await readGreeting(stream)) {
        case 'join':
          await this.#join(stream, socket);
          break;
        case 'describe':
          stream.writeMessage(Buffer.from(JSON.stringify(this.#description())));
          break;
        case 'end':
          this.#retire();
          stream.writeMessage(Buffer.alloc(0));
          break;
      }
    } catch {
      stream.destroy();
    }
  }

  async #join(stream: HandshakeStream, socket: Socket): Promise<void> {
    this.#joining += 1;
    clearTimeout(this.#idle);
    try {
      await this.#requireServer();
      if (!this.#isListening) throw new Failure('ESHUTDOWN', 'this master ends');
      sayReady(stream);
      const relay = new Relay(this.#shared, socket, stream.release());
      this.#relays.add(relay);
      void relay.ended.then(() => {
        this.#relays.delete(relay);
        this.#rest();
      });
    } finally {
      this.#joining -= 1;
      this.#rest();
    }
  }

  /** Throws where the server is not there any more, and ends this master then. */
  async #requireServer(): Promise<void> {
    const silence = Date.now() - this.#heardAt;
    // Less than none: the clock was set.
    if (silence >= 0 && silence < FRESH_MS) return;
    const silent = new Failure('ETIMEDOUT', 'the server is silent');
    const patience = setTimeout(() => this.#client.destroy(silent), PATIENCE_MS);
    try {
      await this.#client.call('ping', []);
      this.#shared.heard();
    } finally {
      clearTimeout(patience);
    }
  }

  /** Ends it after a while where no command uses it; at once where none can come. */
  #rest(): void {
    clearTimeout(this.#idle);
    if (this.#relays.size + this.#joining > 0) return;
    if (this.#isListening) this.#idle = setTimeout(() => this.stop(), this.#options.idleMs);
    else this.stop();
  }

  #description(): Description {
    const { account, server, share, idleMs } = this.#options;
    return {
      account,
      server,
      share,
      pid: process.pid,
      commands: this.#relays.size,
      idleLimit: idleMs / 1000,
    };
  }
}

/** False where something has that name. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (Failure.from(error).kind === 'EEXIST') return false;
    throw error;
  }
}

/** Whether somebody listens at a socket. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
