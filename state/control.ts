/*
 * The control socket: how ftpctl on the server's machine talks to the running daemon. A Unix socket in the state
 * directory, mode 0600: who may open it may change the state files anyway. One JSON line asks, one JSON line answers,
 * then the connection ends. While the daemon works on it, it sends a space every ALIVE_MS.
 *
 * Here are the vocabulary, the client and the framing; what the requests do is daemon/control-server.ts.
 */
import { createConnection, type Socket } from 'node:net';
import { Failure, type FailureKind } from '../protocol/failure.js';
import { isErrnoName } from '../protocol/errno.js';
import { homeName, userName, type HomeName, type ShareName, type UserName } from '../protocol/ids.js';
import { holderText, statePaths } from './directory.js';
import type { QuotaReport, Use } from './ledger.js';
import type { Measurements } from './measurements.js';
import { MAX_SOCKET_PATH } from './private-socket.js';
import { parseTrashAct, type TrashAct, type TrashAnswer } from './trash-requests.js';

/** Longest request line in bytes: as many names as a file of users has. Answers are the daemon's own and may be longer. */
export const MAX_CONTROL_REQUEST = 32 * 1024 * 1024;

/** How often who waits for an answer hears that the daemon lives, and how long it may be silent (milliseconds). */
export const ALIVE_MS = 2000;
const SILENCE_MS = 10_000;

export type ControlRequest =
  /**
   * The account was changed: read it anew. `closeSessions`: also close its sessions (a password that leaked). `reopen`: close
   * them, and clients may connect again.
   */
  | {
      readonly type: 'accountChanged';
      readonly name: UserName;
      readonly closeSessions?: boolean;
      readonly reopen?: boolean;
    }
  /** The accounts and shares of these homes are gone: close their sessions, and the homes. Answered when they are closed. */
  | { readonly type: 'homesRemoved'; readonly names: readonly HomeName[] }
  /** Compare the ledger with the tree, of one home or of all. */
  | { readonly type: 'quotaCheck'; readonly name: HomeName | null; readonly repair: boolean }
  /** List, restore or remove what is in a user's trash. Answered when it is done. */
  | { readonly type: 'trash'; readonly name: UserName; readonly act: TrashAct }
  /** Forget the failed logins of a user, or from an address. */
  | { readonly type: 'unlock'; readonly userOrAddress: string }
  /** The bans were changed: read them anew, and close the sessions of who is banned. */
  | { readonly type: 'bansChanged' }
  /** Groups or shares were changed: read them anew, and close the sessions of who has lost a share. */
  | { readonly type: 'sharesChanged' }
  | { readonly type: 'status' }
  | { readonly type: 'measurements' };

/** What a session did since it began. */
export interface SessionActivity {
  readonly requests: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export interface SessionStatus {
  readonly user: UserName;
  /** The share whose home it is of; null: the user's own home. */
  readonly share: ShareName | null;
  /** ADDRESS:PORT */
  readonly peer: string;
  /** The client's program and version, as it says. */
  readonly program: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Null: its worker does not answer, or has not begun it. */
  readonly activity: SessionActivity | null;
}

export interface DaemonStatus {
  readonly pid: number;
  readonly version: string;
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Bytes a second of all users together; 0: no limit. */
  readonly bandwidth: number;
  readonly maxSessions: number;
  readonly queued: number;
  readonly maxQueue: number;
  readonly workers: number;
  /** The numbers, from 0, of workers that do not answer. What they would have said is missing. */
  readonly silentWorkers: readonly number[];
  readonly sessions: readonly SessionStatus[];
  /** The live use of the homes that are open; of the others the ledger tells. */
  readonly uses: readonly (Use & { readonly home: HomeName; readonly trashed: Use })[];
}

/** What each request is answered with. */
export interface ControlAnswers {
  accountChanged: { readonly closedSessions: number };
  homesRemoved: { readonly closedSessions: number };
  quotaCheck: readonly QuotaReport[];
  trash: TrashAnswer;
  /** How many lockouts ended. */
  unlock: { readonly lifted: number };
  bansChanged: { readonly closedSessions: number };
  sharesChanged: { readonly closedSessions: number };
  status: DaemonStatus;
  measurements: Measurements;
}

/** Performs a request: over the control socket, or in the daemon itself. A Failure that is thrown is the answer. */
export type Ask = <R extends ControlRequest>(request: R) => Promise<ControlAnswers[R['type']]>;

/** A request line as its request. Throws EINVAL. */
export function parseControlRequest(line: string): ControlRequest {
  const request = parseObject(line);
  const name = request['name'];
  switch (request['type']) {
    case 'accountChanged':
      return {
        type: 'accountChanged',
        name: userName(text(name)),
        closeSessions: request['closeSessions'] === true,
        reopen: request['reopen'] === true,
      };
    case 'homesRemoved':
      return { type: 'homesRemoved', names: list(request['names']).map((one) => homeName(text(one))) };
    case 'quotaCheck':
      return {
        type: 'quotaCheck',
        name: name === null ? null : homeName(text(name)),
        repair: request['repair'] === true,
      };
    case 'trash':
      return { type: 'trash', name: userName(text(name)), act: parseTrashAct(request['act']) };
    case 'unlock':
      return { type: 'unlock', userOrAddress: String(request['userOrAddress']) };
    case 'bansChanged':
      return { type: 'bansChanged' };
    case 'sharesChanged':
      return { type: 'sharesChanged' };
    case 'status':
      return { type: 'status' };
    case 'measurements':
      return { type: 'measurements' };
    default:
      throw new Failure('EINVAL', 'unknown control request');
  }
}

/** The line that answers a request. */
export function formatControlAnswer(answer: Failure | ControlAnswers[ControlRequest['type']]): string {
  const body =
    answer instanceof Failure
      ? { error: { kind: answer.kind, message: answer.message } }
      : { result: answer };
  return `${JSON.stringify(body)}\n`;
}

/**
 * Asks the daemon of a state directory; undefined where none runs. Waits as long as the daemon works on it (a quota check
 * may take minutes); throws the daemon's Failure, ETIMEDOUT where it is stopped or hangs, or ECONNRESET where it died meanwhile.
 */
export async function askDaemon<R extends ControlRequest>(
  stateDirectory: string,
  request: R,
  silenceMs = SILENCE_MS,
): Promise<ControlAnswers[R['type']] | undefined> {
  const { control, lock } = statePaths(stateDirectory);
  if (Buffer.byteLength(control) > MAX_SOCKET_PATH) return undefined; // no daemon could have made it
  const socket = createConnection(control);
  onSilence(socket, silenceMs, () => socket.destroy(noAnswer(lock)));
  try {
    socket.end(`${JSON.stringify(request)}\n`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
    const line = Buffer.concat(chunks).toString();
    if (!line.endsWith('\n')) throw new Failure('ECONNRESET', 'the daemon ended before it answered');
    // The daemon is as trusted as the state directory: its answers are not validated further.
    const { error, result } = parseObject(line);
    if (error !== undefined) throw remoteFailure(error);
    return result as ControlAnswers[R['type']];
  } catch (error) {
    const failure = Failure.from(error);
    const absent = failure.kind === 'ENOENT' || failure.kind === 'ECONNREFUSED';
    if (absent && failure !== error) return undefined; // the socket's error, not the daemon's answer
    if (failure.kind === 'EAGAIN' && failure !== error) throw noAnswer(lock); // so many wait for it already
    if (failure.kind === 'EACCES' && failure !== error)
      throw new Failure('EACCES', `${stateDirectory} is not open to you: run this as the daemon's user`, {
        cause: error,
      });
    throw failure;
  } finally {
    socket.destroy();
  }
}

function noAnswer(lock: string): Failure {
  return new Failure('ETIMEDOUT', `the running daemon${holderText(lock)} does not answer`);
}

/**
 * Calls `act` where nothing came for so long (milliseconds). In a process that was stopped meanwhile, by Ctrl-Z, the time is up before
 * what came is read.
 */
function onSilence(socket: Socket, ms: number, act: () => void): void {
  socket.setTimeout(ms);
  socket.on('timeout', () => {
    const { bytesRead } = socket;
    setImmediate(() => {
      if (socket.bytesRead === bytesRead) act();
    });
  });
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Falls through: no JSON and no object are the same mistake.
  }
  throw new Failure('EINVAL', 'not a control message');
}

function text(name: unknown): string {
  if (typeof name !== 'string') throw new Failure('EINVAL', 'a control request lacks the name');
  return name;
}

function list(names: unknown): readonly unknown[] {
  if (!Array.isArray(names)) throw new Failure('EINVAL', 'a control request lacks the names');
  return names;
}

function remoteFailure(error: unknown): Failure {
  const { kind, message } = error as { kind: FailureKind; message: string };
  return new Failure(isErrnoName(kind) || kind === 'USAGE' ? kind : 'EIO', message);
}
