/*
 * Listens, and brings connections through handshake and login. Everybody may connect, so what a stranger can hold is
 * bounded: connections that are not logged in, in all and per address (those that wait in the queue count for their
 * address), each for HANDSHAKE_MS and LOGIN_MS at most and for a few KiB. Where they are too many, the oldest of the address that
 * has most gives way: who holds connections keeps nobody else out.
 *
 * Invariant: nothing that a peer sends or fails to send ends the daemon; running out of descriptors refuses connections, no
 * more (libuv closes them; a shortage that can be foreseen is told at the start: descriptor-limit.ts).
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { accept } from '../../protocol/transport/acceptor.js';
import type { Fd } from '../../posix/fd.js';
import { plainAddress } from '../../protocol/transport/addresses.js';
import type { AeadProvider } from '../../protocol/transport/aead.js';
import { Failure } from '../../protocol/failure.js';
import type { KeyPair } from '../../protocol/transport/x25519.js';
import type { ListenAddress } from '../config.js';
import type { Log } from '../log.js';
import { Login, type LoginHost } from './login.js';
import { Refusals } from './refusals.js';
import { count } from '../measures.js';
import { throttleKey } from './throttle.js';

export interface FrontDoorLimits {
  /** Connections that are not logged in. */
  readonly maxUnauthenticated: number;
  /** Connections of one address that have no session: not logged in, or waiting. */
  readonly maxPerAddress: number;
}

export interface FrontDoorOptions {
  readonly limits: FrontDoorLimits;
  readonly staticKeyPair: KeyPair;
  readonly aead: AeadProvider;
  readonly serverVersion: string;
  readonly host: LoginHost;
  readonly isBanned: (address: string) => boolean;
  readonly log: Log;
  /** Instead of HANDSHAKE_MS and LOGIN_MS (milliseconds). */
  readonly handshakeMs?: number;
  readonly loginMs?: number;
}

/** A connection that has no session. */
interface Newcomer {
  readonly socket: Socket;
  /** Once the handshake is done. */
  login: Login | undefined;
  isLoggedIn: boolean;
}

export class FrontDoor {
  readonly #options: FrontDoorOptions;
  readonly #server: Server;
  #limits: FrontDoorLimits;
  /** By address, the oldest first. */
  readonly #newcomers = new Map<string, Set<Newcomer>>();
  readonly #refusals: Refusals;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#refusals = new Refusals(options.log, 'connections refused');
    this.#server = createServer({ noDelay: true, allowHalfOpen: false, pauseOnConnect: false });
    this.#server.on('connection', (socket) => void this.#serve(socket));
  }

  setLimits(limits: FrontDoorLimits): void {
    this.#limits = limits;
  }

  /** Starts to accept, at an address (port 0 picks one) or on a socket that listens. Throws a Failure. */
  async listen(at: ListenAddress | Fd): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(typeof at === 'number' ? { fd: at } : at, () => {
        this.#server.off('error', reject);
        resolve();
      });
    }).catch((error: unknown) => {
      throw listenFailure(error, at);
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw notTcp();
    // From here on errors are those of accept(2): the connection is lost, the server goes on.
    this.#server.on('error', (error) => this.#refusals.count(error.message));
    return address;
  }

  /** To be called when there are other bans. */
  bansChanged(): void {
    for (const { socket } of [...this.#newcomers.values()].flatMap((newcomers) => [...newcomers])) {
      const address = addressOf(socket);
      if (address !== undefined && this.#options.isBanned(address)) socket.destroy();
    }
  }

  /** Stops accepting; whoever is not in a session yet is told why, and disconnected. */
  async close(reason: string): Promise<void> {
    this.#refusals.flush();
    this.#server.close();
    const farewells: Promise<void>[] = [];
    for (const { socket, login } of [...this.#newcomers.values()].flatMap((newcomers) => [...newcomers])) {
      if (login === undefined) socket.destroy();
      else farewells.push(login.shutdown(reason));
    }
    await Promise.all(farewells);
  }

  /** Never rejects. */
  async #serve(socket: Socket): Promise<void> {
    const { staticKeyPair, serverVersion, aead, host, isBanned, handshakeMs, loginMs } = this.#options;
    const address = addressOf(socket);
    if (address === undefined) return void socket.destroy(); // gone already
    const peer = `${address.includes(':') ? `[${address}]` : address}:${socket.remotePort ?? 0}`;
    try {
      if (isBanned(address)) {
        count('banned');
        this.#refusals.count(`${peer}: banned`);
        return void socket.destroy();
      }
    } catch (error) {
      // Whether it is cannot be read: nobody is let in.
      this.#refusals.write('error', { peer, error }, 'the bans cannot be read');
      return void socket.destroy();
    }
    const key = throttleKey(address);
    const ofAddress = this.#newcomers.get(key) ?? new Set();
    const held = [...ofAddress].filter((newcomer) => !newcomer.socket.destroyed);
    if (held.length >= this.#limits.maxPerAddress) {
      this.#refusals.count(`${peer}: too many connections of its address`);
      // Who holds connections keeps nobody out who logs in, also where many are behind one address.
      const [oldest] = strangersOf(ofAddress);
      if (oldest === undefined) return void socket.destroy();
      oldest.socket.destroy();
    }
    const newcomer: Newcomer = { socket, login: undefined, isLoggedIn: false };
    this.#newcomers.set(key, ofAddress.add(newcomer));
    this.#makeRoom();
    try {
      const timeout = handshakeMs === undefined ? {} : { timeoutMs: handshakeMs };
      const accepted = await accept(socket, { staticKeyPair, serverVersion, ...timeout });
      const login = new Login({
        socket,
        accepted,
        aead,
        address,
        peer,
        host,
        onAuthenticated: () => {
          newcomer.isLoggedIn = true;
        },
        ...(loginMs === undefined ? {} : { loginMs }),
      });
      newcomer.login = login;
      const failure = await login.done;
      if (failure !== undefined)
        this.#refusals.write('info', { peer, error: failure }, 'connection closed before a session');
    } catch (error) {
      this.#refusals.write('info', { peer, error }, 'handshake failed');
      socket.destroy();
    } finally {
      ofAddress.delete(newcomer);
      if (ofAddress.size === 0) this.#newcomers.delete(key);
    }
  }

  /** Ends the oldest of the address that has most, where too many are not logged in. */
  #makeRoom(): void {
    const { maxUnauthenticated } = this.#limits;
    const all = [...this.#newcomers.values()];
    if (all.reduce((sum, { size }) => sum + size, 0) <= maxUnauthenticated) return;
    const strangers = all.map(strangersOf);
    if (strangers.reduce((sum, { length }) => sum + length, 0) <= maxUnauthenticated) return;
    const [oldest] = strangers.reduce((most, some) => (some.length > most.length ? some : most));
    oldest?.socket.destroy();
    this.#refusals.count('too many connections that are not logged in');
  }
}

/** Those that are not logged in, the oldest first. */
function strangersOf(newcomers: ReadonlySet<Newcomer>): Newcomer[] {
  return [...newcomers].filter(({ socket, isLoggedIn }) => !isLoggedIn && !socket.destroyed);
}

function addressOf(socket: Socket): string | undefined {
  return socket.remoteAddress === undefined ? undefined : plainAddress(socket.remoteAddress);
}

function notTcp(): Failure {
  return new Failure('USAGE', 'what the service manager handed over is no TCP socket: ListenStream= a port');
}

function listenFailure(error: unknown, at: ListenAddress | Fd): Failure {
  if (typeof at === 'number') return notTcp();
  const { host, port } = at;
  const failure = Failure.from(error);
  const where = `${host ?? 'all addresses'}, port ${port}`;
  switch (failure.kind) {
    case 'EADDRINUSE':
      return new Failure(
        failure.kind,
        `${where} is in use: stop what listens there, or choose another by --listen`,
      );
    case 'EACCES':
      return new Failure(
        failure.kind,
        `${where} is not allowed for this user: choose a port above 1023 by --listen`,
      );
    case 'EADDRNOTAVAIL':
      return new Failure(failure.kind, `${where} is no address of this machine: choose another by --listen`);
    default: {
      const code = error instanceof Error && 'code' in error ? String(error.code) : failure.kind;
      return new Failure('EADDRNOTAVAIL', `cannot listen on ${where} (${code}): choose another by --listen`);
    }
  }
}
