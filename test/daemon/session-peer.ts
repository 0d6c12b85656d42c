/*
 * A client of any make at the other end of a session, over a real connection.
 */
import { randomBytes } from 'node:crypto';
import type { Test } from 'tap';
import { nodeAead } from '../../protocol/transport/aead.js';
import { Channel } from '../../protocol/transport/channel.js';
import { encodeRequest } from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import { MAX_RECORD } from '../../protocol/limits.js';
import { LEASE_NONE, METHODS, type LeaseMode, type MethodName, type Result } from '../../protocol/methods.js';
import { packOperation, type Operation } from '../../protocol/operations.js';
import type { UserHome } from '../../daemon/home/user-home.js';
import { Line, makeLine, Pace } from '../../daemon/worker/pace.js';
import { Session } from '../../daemon/worker/session.js';
import { pairedKeys, socketPair } from '../lib/loopback.js';
import { PathClient, type Caller } from '../lib/path-client.js';
import { Place } from './home/fixture.js';

/** What the sessions say of the boot of their machine. */
export const VERIFIER = Buffer.from('verifier');

interface Answer {
  readonly kind: string;
  /** Of a failure. */
  readonly text: string;
  readonly result: unknown;
}

interface Options {
  readonly id?: Buffer;
  readonly wants?: LeaseMode;
  readonly keepaliveMs?: number;
  readonly pace?: Pace;
}

/** Of a user without a limit. */
export function unlimitedPace(): Pace {
  return new Pace(new Line(makeLine(1), 0));
}

/** A client at the other end of a session. */
export class Peer implements Caller {
  /** Its calls by paths. */
  readonly paths = new PathClient(this);
  readonly channel: Channel;
  readonly session: Session;
  readonly closed: Promise<Failure | undefined>;
  readonly told: [method: string, params: unknown][] = [];
  readonly #answers = new Map<number, (answer: Answer) => void>();
  #lastId: number;
  #lastChange = 1_000_000;

  static async connect(t: Test, home: UserHome, place: Place, options: Options = {}): Promise<Peer> {
    const { near, far } = await socketPair(t);
    const keys = pairedKeys();
    const { id = randomBytes(16), wants = LEASE_NONE, keepaliveMs, pace = unlimitedPace() } = options;
    const ended: { resolve?: (failure: Failure | undefined) => void } = {};
    const closed = new Promise<Failure | undefined>((resolve) => {
      ended.resolve = resolve;
    });
    const channel = new Channel(near, {
      keys: keys.near,
      aead: nodeAead,
      maxRecord: MAX_RECORD,
      events: {
        onMessage: (message) => {
          if (message.kind === 'response') {
            const { id, error, result } = message;
            const kept = Buffer.isBuffer(result) ? Buffer.from(result) : copy(result);
            peer.#answers.get(id)?.({ kind: error?.kind ?? 'ok', text: error?.message ?? '', result: kept });
            peer.#answers.delete(id);
          } else if (message.kind === 'notification') {
            peer.told.push([message.method, copy(message.params)]);
          }
        },
        onClose: (failure) => ended.resolve?.(failure),
      },
    });
    const session = new Session({
      open: (events) => new Channel(far, { keys: keys.far, aead: nodeAead, maxRecord: MAX_RECORD, events }),
      ...{ user: place.user, home, pace },
      login: { requestId: 0, clientId: id, leaseWanted: wants },
      shares: [],
      isReadOnly: false,
      peer: '127.0.0.1:1',
      serverVersion: 'test/1',
      bootVerifier: VERIFIER,
      log: place.log(),
      ...(keepaliveMs === undefined ? {} : { keepaliveMs }),
    });
    const peer = new Peer(channel, session, closed, id);
    peer.login = await peer.#answer(0);
    return peer;
  }

  readonly id: Buffer;
  login: Answer = { kind: 'none', text: '', result: null };

  private constructor(channel: Channel, session: Session, closed: Promise<Failure | undefined>, id: Buffer) {
    this.channel = channel;
    this.session = session;
    this.closed = closed;
    this.id = id;
    this.#lastId = 0;
  }

  /** Sends a request; texts are paths and names; a Buffer as `data` comes last. */
  /** `params` null: what no client may send. */
  send(
    method: string,
    params: unknown[] | null,
    data?: Buffer,
    id: number = ++this.#lastId,
  ): Promise<Answer> {
    this.#lastId = Math.max(this.#lastId, id);
    const wire = params?.map((param) => (typeof param === 'string' ? Buffer.from(param) : param));
    this.channel.send(encodeRequest(id, method as MethodName, wire as unknown[], data));
    return this.#answer(id);
  }

  #answer(id: number): Promise<Answer> {
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
    });
  }

  /** A call whose result is checked; throws its failure. */
  async call<M extends MethodName>(method: M, params: readonly unknown[]): Promise<Result<M>> {
    const { kind, text, result } = await this.send(method, [...params]);
    if (kind !== 'ok') throw new Failure(kind as 'EIO', text);
    return METHODS[method].result(result) as Result<M>; // the row of METHODS says so
  }

  /** A change, sent at once; its answer. */
  change(operation: Operation, data?: Buffer): Promise<Answer> {
    return this.send('change', [++this.#lastChange, packOperation(operation)], data);
  }

  /** Breaks the connection without a word; resolves when the server knows. */
  async cut(): Promise<void> {
    this.channel.destroy();
    await this.session.closed;
  }
}

function copy(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  return Array.isArray(value) ? value.map(copy) : value;
}
