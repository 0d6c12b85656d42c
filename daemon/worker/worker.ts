/*
 * The entry of a worker thread: takes sockets over from the main thread, opens homes, runs the sessions, and answers the
 * main thread's calls (worker-messages.ts). The state is opened here once more: lmdb is made for that.
 *
 * Resident memory, measured: the daemon idle 66 MiB, each worker with a session 15 MiB, the password thread 34 MiB while it
 * lives; one session that just wrote 128 MiB in 1 MiB pieces, 16 in flight, 35 MiB of buffers more. So workers import
 * neither pino nor libsodium, and start when they are needed.
 */
import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { chooseAead } from '../../protocol/transport/aead.js';
import { openSocket } from '../../protocol/transport/byte-source.js';
import { Channel, type ChannelEvents } from '../../protocol/transport/channel.js';
import { encodeNotification, encodeResponse, type IncomingMessage } from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import type { HomeName, UserName } from '../../protocol/ids.js';
import { Keepalive } from '../../protocol/session/keepalive.js';
import { MAX_RECORD } from '../../protocol/limits.js';
import type { Share } from '../../protocol/shares.js';
import { loadEvp } from '../../posix/libcrypto.js';
import { openState } from '../../state/store.js';
import { sendBounded } from '../bounded-send.js';
import { withDeadline } from '../deadline.js';
import { measureEventLoopDelay } from '../event-loop-delay.js';
import { administerTrash } from '../home/trash-requests.js';
import type { UserHome } from '../home/user-home.js';
import { Homes } from './homes.js';
import { LOG_LEVELS, withError, type Log } from '../log.js';
import { countInto } from '../measures.js';
import { Line, type Pace } from './pace.js';
import { Paces } from './paces.js';
import { PROGRAM_FILES, replaced } from '../program-files.js';
import { Session } from './session.js';
import type {
  FromWorker,
  SessionHandover,
  ToWorker,
  WorkerCallName,
  WorkerCalls,
  WorkerData,
  WorkerReport,
} from './worker-messages.js';

if (parentPort === null) throw new Error('worker.ts is the entry of a worker thread');
const port = parentPort;
const {
  programFiles,
  stateDirectory,
  homes: directory,
  serverVersion,
  bootVerifier,
  leaseTermMs,
  maxOpenFiles,
  uploadKeepMs,
  firstReserved,
  cells,
  line,
  index,
} = workerData as WorkerData;

if (programFiles !== PROGRAM_FILES) throw new Failure('ESHUTDOWN', 'the programs were replaced');
void replaced.then(() => post({ type: 'replaced' }));
countInto(cells);
const aead = chooseAead(loadEvp());
const log = remoteLog('daemon');
const paces = new Paces(new Line(line, index));
const homes = new Homes({
  state: openState(stateDirectory),
  directory,
  leaseTermMs,
  maxOpenFiles,
  uploadKeepMs,
  firstReserved,
  log,
  transferLog: remoteLog('user'),
  onClosed: (home, lastUse) => post({ type: 'homeClosed', home, lastUse }),
});

/** How long a login waits for other clients of the user, until the directories of shares are there (milliseconds). */
const SHOW_MS = 1000;

/** What runs for a connection that was handed over. */
interface Served {
  readonly user: UserName;
  readonly home: HomeName;
  /** Undefined: its home is still being opened. */
  readonly session?: Session;
  /** What it was told of shares, or will be. */
  shares: readonly Share[];
  /** Ends it after what is in flight; resolves when it is closed. */
  end(reason: string, again: boolean, isOver?: boolean): Promise<void>;
}
const served = new Map<number, Served>();

/** Homes opened only to be counted: one after the other, so that logins are not held up by all of them. */
let counting: Promise<unknown> = Promise.resolve();

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'session':
      void serve(message.session, message.use);
      return;
    case 'endSession':
      void served.get(message.sessionId)?.end(message.reason, message.again, message.isOver);
      return;
    case 'shares':
      tellShares(message.sessionId, message.shares);
      return;
    case 'homeChanged':
      homes.changed(message.home, message.reopens).catch(ignoreFailedHome);
      return;
    case 'bandwidth':
      paces.set(message.user, message.bandwidth);
      return;
    case 'openHome': {
      const { home, use } = message;
      counting = counting.then(() => homes.use(home, use, () => Promise.resolve()).catch(ignoreFailedHome));
      return;
    }
    case 'call':
      call(message.name, message.params).then(
        (result) => post({ type: 'answer', callId: message.callId, result }),
        (error: unknown) => {
          const { kind, message: text } = Failure.from(error);
          // Who asked is told; what is not theirs is a matter of the server, too.
          log[kind === 'EIO' ? 'error' : 'debug'](
            { call: message.name, error },
            'a call of the main thread failed',
          );
          post({ type: 'failure', callId: message.callId, kind, message: text });
        },
      );
      return;
  }
});

async function call<N extends WorkerCallName>(
  name: N,
  params: WorkerCalls[N]['params'],
): Promise<WorkerCalls[N]['result']> {
  const handlers: {
    [M in WorkerCallName]: (p: WorkerCalls[M]['params']) => Promise<WorkerCalls[M]['result']>;
  } = {
    ping: () => Promise.resolve(null),
    report: ({ watched }) => {
      if (watched) measureEventLoopDelay();
      return Promise.resolve(report());
    },
    quotaCheck: ({ home, repair, use }) => homes.use(home, use, (opened) => opened.check(repair)),
    trash: ({ user, home, act, use }) => homes.use(home, use, (opened) => administerTrash(opened, user, act)),
    closeHome: async ({ home, reason }) => {
      await endSessions(reason, false, home);
      await homes.close(home);
      return null;
    },
    shutdown: async ({ reason, again }) => {
      await endSessions(reason, again);
      await homes.closeAll();
      return null;
    },
  };
  return handlers[name](params);
}

function report(): WorkerReport {
  const sessions = [...served].flatMap(([sessionId, { session }]) => {
    session?.countTraffic();
    return session === undefined ? [] : [{ sessionId, ...session.activity }];
  });
  return { ...homes.report(), sessions };
}

/** Ends all sessions, or those of a home. */
async function endSessions(reason: string, again: boolean, home?: HomeName): Promise<void> {
  const ending = [...served.values()].filter((one) => home === undefined || one.home === home);
  await Promise.all(ending.map((one) => one.end(reason, again)));
}

/** One connection, from its descriptor to its end. Never rejects. */
async function serve(handover: SessionHandover, use: number): Promise<void> {
  const { sessionId, user, bandwidth, home, fd, adopted, peer } = handover;
  Atomics.store(adopted, 0, 1);
  const socket = openSocket(fd);
  try {
    const waiting = new WaitingConnection(socket, handover);
    /** They may change until the session begins. */
    const sharesNow = (): readonly Share[] => served.get(sessionId)?.shares ?? handover.shares;
    served.set(sessionId, {
      ...{ user, home: home.name },
      shares: handover.shares,
      end: (reason, again) => waiting.shutdown(reason, again),
    });
    await homes
      .use(home, use, (opened) =>
        paces.use(user, bandwidth, async (pace) => {
          // Before the client is there, which would have to give back leases for it.
          await withDeadline(SHOW_MS, homes.showShares(home.name, user, sharesNow()));
          if (waiting.closed) return;
          const shares = sharesNow();
          const session = startSession(waiting, { ...handover, shares }, opened, pace);
          served.set(sessionId, {
            ...{ user, home: home.name, session, shares },
            end: async (reason, again, isOver) => {
              await session.shutdown(reason, again, isOver);
              await session.closed;
            },
          });
          await session.closed;
        }),
      )
      .catch((error: unknown) => {
        log.error({ user, home: home.name, peer, error }, 'a session failed');
        return waiting.refuse(Failure.from(error));
      });
  } catch (error) {
    log.error({ user, home: home.name, peer, error }, 'a session failed');
  } finally {
    socket.destroy();
    served.delete(sessionId);
    post({ type: 'sessionClosed', sessionId });
  }
}

/** Of a session of a user's own home. */
function tellShares(sessionId: number, shares: readonly Share[]): void {
  const one = served.get(sessionId);
  if (one === undefined) return;
  one.shares = shares;
  const { user, home, session } = one;
  // One that has not begun is told when it does.
  void homes.showShares(home, user, shares).then(() => session?.notify('shares', [[...shares]]));
}

function startSession(
  waiting: WaitingConnection,
  handover: SessionHandover,
  home: UserHome,
  pace: Pace,
): Session {
  const { user, login, shares, isReadOnly, peer } = handover;
  return new Session({
    open: (events) => waiting.open(events),
    ...{ user, home, pace, login, shares, isReadOnly },
    peer,
    serverVersion,
    bootVerifier,
    log,
  });
}

/**
 * A connection whose home is still being opened, which takes a while if it has to be counted: pings are answered, nothing
 * else is expected.
 */
class WaitingConnection {
  readonly #channel: Channel;
  readonly #requestId: number;
  readonly #keepalive: Keepalive;
  #events: ChannelEvents | undefined;
  closed = false;

  constructor(socket: Socket, { keys, leftover, login }: SessionHandover) {
    this.#requestId = login.requestId;
    const { sendKey, receiveKey, ...counts } = keys;
    this.#channel = new Channel(socket, {
      keys: { ...counts, sendKey: bufferOf(sendKey), receiveKey: bufferOf(receiveKey) },
      aead,
      leftover: bufferOf(leftover),
      events: {
        onMessage: (message) =>
          this.#events === undefined ? this.#wait(message) : this.#events.onMessage(message),
        onDrain: () => this.#events?.onDrain?.(),
        onClose: (failure) => {
          this.closed = true;
          this.#keepalive.stop();
          this.#events?.onClose(failure);
        },
      },
    });
    sendKey.fill(0);
    receiveKey.fill(0);
    this.#keepalive = new Keepalive(this.#channel);
  }

  /** The channel, from now on with these events. */
  open(events: ChannelEvents): Channel {
    this.#keepalive.stop();
    this.#events = events;
    this.#channel.maxRecord = MAX_RECORD;
    return this.#channel;
  }

  /** Answers the login with a failure, and closes. */
  async refuse(failure: Failure): Promise<void> {
    if (this.#events === undefined) this.#channel.send(encodeResponse(this.#requestId, failure, null));
    await this.#channel.end();
  }

  async shutdown(reason: string, again: boolean): Promise<void> {
    this.#channel.send(encodeNotification('shutdown', [reason, again]));
    await this.#channel.end();
  }

  #wait(message: IncomingMessage): void {
    if (message.kind === 'notification') return; // a `cancel` of the login: who gives up closes
    if (message.kind !== 'request' || message.method !== 'ping') {
      throw new Failure('PROTOCOL', 'a request before the answer of login');
    }
    sendBounded(this.#channel, encodeResponse(message.id, undefined, null));
  }
}

function post(message: FromWorker): void {
  port.postMessage(message);
}

/** A log whose lines are written by the main thread. */
function remoteLog(name: 'daemon' | 'user'): Log {
  const lines = LOG_LEVELS.map((level) => [
    level,
    (fields: Record<string, unknown>, message: string) =>
      post({ type: 'log', log: name, level, fields: withError(fields), message }),
  ]);
  return Object.fromEntries(lines) as Log; // one function for each level
}

/** Who asked for the home is told by the use that failed; and homes.ts logs it. */
function ignoreFailedHome(): void {}

/** Structured cloning turns Buffers into Uint8Arrays. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
