/**
 * One command on a master's session: its requests go to the server under ids of the session, and the answers come back under its
 * own.
 *
 * Invariants:
 * - what a command has open (handles, files that are held) is known here, and freed when the command is gone, whatever ended it;
 *   what it still waits for is cancelled then, and what that opens is freed when the answer comes;
 * - changes are numbered by the session, as the server takes each number once;
 * - nothing else that a session has is shared: a command can ask for what RELAYED lists, and that leaves nothing else behind.
 */
import type { Socket } from 'node:net';
import { Channel } from '../../protocol/transport/channel.js';
import type { Client } from '../../protocol/session/client.js';
import { encodeResponse, type IncomingMessage, type RequestMessage } from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import type { RemoteHandle } from '../../protocol/ids.js';
import { MAX_RECORD } from '../../protocol/limits.js';
import { METHODS, NOTIFICATIONS, type MethodName, type Params } from '../../protocol/methods.js';
import { packOperation, RELEASE } from '../../protocol/operations.js';
import { fileId, type FileId } from '../../protocol/references.js';
import { handle, optional } from '../../protocol/shape.js';
import { noKeys, plainRecords } from './plain-records.js';

const RELAYED = [
  ...(['getattr', 'readlink', 'list', 'listNext', 'read', 'hold', 'change', 'sync', 'close'] as const),
  ...(['statfs', 'download', 'downloadRead', 'downloadRuns', 'digest', 'uploads', 'uploadRemove'] as const),
  ...(['fetch', 'uploadFiles', 'uploadBegin', 'uploadWrite', 'uploadHole', 'uploadFinish'] as const),
  ...(['uploadAbort', 'xattr', 'xattrs', 'trash', 'trashRestore', 'trashRemove', 'trashEmpty'] as const),
] satisfies readonly MethodName[];

type Relayed = (typeof RELAYED)[number];

/** The session that commands share. */
export interface Shared {
  readonly client: Client;
  /** The number of the next change. */
  nextChange(): number;
  /** Something came from the server. */
  heard(): void;
}

export class Relay {
  /** Resolves when the command is gone. */
  readonly ended: Promise<void>;
  readonly #shared: Shared;
  readonly #channel: Channel;
  /** Ids of the session by those of the command. */
  readonly #calls = new Map<number, number>();
  readonly #handles = new Set<RemoteHandle>();
  #held: FileId[] = [];
  #isGone = false;
  #resolveEnded: () => void = () => undefined;

  constructor(shared: Shared, socket: Socket, leftover: Buffer) {
    this.#shared = shared;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#channel = new Channel(socket, {
      keys: noKeys(),
      aead: plainRecords,
      leftover,
      maxRecord: MAX_RECORD,
      events: {
        onMessage: (message) => this.#onMessage(message),
        onClose: () => this.#onClose(),
      },
    });
  }

  /** Sends the answers that are there and closes. */
  end(): Promise<void> {
    return this.#channel.end();
  }

  #onMessage(message: IncomingMessage): void {
    switch (message.kind) {
      case 'request':
        this.#onRequest(message);
        break;
      case 'notification': {
        if (message.method !== 'cancel') break;
        const [id] = NOTIFICATIONS.cancel.params(message.params);
        const theirs = this.#calls.get(id);
        if (theirs !== undefined) this.#shared.client.cancel(theirs);
        break;
      }
      case 'response':
        throw new Failure('PROTOCOL', 'a command sent an answer');
    }
  }

  #onRequest({ id, method, params }: RequestMessage): void {
    // The session has a keepalive of its own, and outlives the command.
    if (method === 'ping' || method === 'logout') {
      this.#answer(id, undefined, null);
      return;
    }
    const relayed = RELAYED.find((one) => one === method);
    if (relayed === undefined) {
      this.#answer(id, new Failure('EOPNOTSUPP', `${method} is not for a session that is shared`), null);
      return;
    }
    const asked = METHODS[relayed].params(listsOf(params));
    const [, ...others] = params as unknown[];
    const sent = relayed === 'change' ? [this.#shared.nextChange(), ...others] : (params as unknown[]);
    const theirs = this.#shared.client.relay(relayed, sent, (failure, result) => {
      this.#calls.delete(id);
      this.#shared.heard();
      if (failure === undefined) this.#note(relayed, asked, result);
      if (this.#isGone) this.#free();
      else this.#answer(id, failure, result);
    });
    this.#calls.set(id, theirs);
  }

  #answer(id: number, failure: Failure | undefined, result: unknown): void {
    try {
      this.#channel.send(
        result instanceof Uint8Array
          ? encodeResponse(id, failure, null, result)
          : encodeResponse(id, failure, result),
      );
    } catch (error) {
      // It became longer than any may be, as numbers can be written in several ways.
      this.#channel.send(encodeResponse(id, Failure.from(error), null));
    }
  }

  /** What the command has open since, or not any more. `asked` is what the row of METHODS yields, `result` as it travelled. */
  #note(method: Relayed, asked: unknown, result: unknown): void {
    try {
      switch (method) {
        case 'list':
          for (const [, , cursor] of result as unknown[][]) this.#opened(cursor);
          break;
        case 'listNext': {
          // The last page closes the cursor.
          const [, next] = result as unknown[];
          if (next === null) this.#handles.delete((asked as Params<'listNext'>)[0]);
          break;
        }
        case 'download':
        case 'uploadBegin':
          this.#opened((result as unknown[])[0]);
          break;
        case 'close':
        case 'uploadAbort':
        case 'uploadFinish':
          this.#handles.delete((asked as Params<'close' | 'uploadAbort' | 'uploadFinish'>)[0]);
          break;
        case 'hold':
          this.#held.push(fileId([...(result as unknown[])]));
          break;
        case 'change': {
          const [, operation] = asked as Params<'change'>;
          if (operation.kind !== RELEASE) break;
          const { ino, birth } = operation.id;
          const at = this.#held.findIndex((held) => held.ino === ino && held.birth === birth);
          if (at >= 0) this.#held.splice(at, 1);
          break;
        }
      }
    } catch {
      // Nothing that a server may answer: the command finds that, too, and ends.
    }
  }

  #opened(number: unknown): void {
    const opened = optional(handle)(number);
    if (opened !== null) this.#handles.add(opened);
  }

  #onClose(): void {
    this.#isGone = true;
    for (const theirs of this.#calls.values()) this.#shared.client.cancel(theirs);
    this.#free();
    this.#resolveEnded();
  }

  /** Closes what the command left open. Nobody waits for it: what cannot be closed is gone already. */
  #free(): void {
    const { client } = this.#shared;
    const ignored = (): void => undefined;
    for (const handle of this.#handles) client.request('close', [handle], undefined, ignored);
    this.#handles.clear();
    const held = this.#held;
    this.#held = [];
    for (const id of held) {
      const release = packOperation({ kind: RELEASE, id });
      client.request('change', [this.#shared.nextChange(), release, null], undefined, ignored);
    }
  }
}

/** The same, with lists of its own, as shapes change lists in place. */
function listsOf(value: unknown): unknown {
  return Array.isArray(value) ? value.map(listsOf) : value;
}
