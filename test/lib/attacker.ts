/*
 * A client that keeps no rule: it shakes hands as it must, and then sends what it is told to, sealed or not. What comes
 * back is opened with the real record layer, so that a test sees the daemon's own answers.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { chooseAead } from '../../protocol/transport/aead.js';
import { RECORD_OVERHEAD } from '../../protocol/transport/buffer-pool.js';
import { setReceiver } from '../../protocol/transport/byte-source.js';
import { decodeMessage, encodeRequest, type IncomingMessage } from '../../protocol/codec.js';
import { openConnection } from '../../protocol/transport/connector.js';
import { MAX_RECORD } from '../../protocol/limits.js';
import { LEASE_NONE, type LeaseMode, type MethodName } from '../../protocol/methods.js';
import { generateKeyPair, type KeyPair } from '../../protocol/transport/x25519.js';
import { RecordOpener, RecordSealer } from '../../protocol/transport/records.js';
import { loadEvp } from '../../posix/libcrypto.js';
import type { RawOperation } from './raw-operations.js';
import type { Scope } from './scope.js';
import { PATIENCE_MS } from './service.js';

const HOST = '127.0.0.1';
const aead = chooseAead(loadEvp());

/** An answer as it travelled, Buffers copied. */
export interface RawAnswer {
  readonly kind: string;
  readonly result: unknown;
}

export interface Intrusion {
  readonly port: number;
  readonly user: string;
  readonly password?: string | null;
  readonly keyPair?: KeyPair;
  readonly clientId?: Buffer;
  readonly leaseWanted?: LeaseMode;
  /** The first request, in place of a login made of the above. */
  readonly firstRequest?: Buffer;
}

/** The parameters of a login. */
export function loginOf({ user, password, clientId, leaseWanted }: Intrusion): unknown[] {
  return [user, password ?? null, clientId ?? randomBytes(16), leaseWanted ?? LEASE_NONE, 'attacker/1'];
}

export class Attacker {
  /** Resolves when the server has closed the connection, or `close` has. */
  readonly closed: Promise<void>;
  readonly notifications: { method: string; params: unknown }[] = [];
  readonly socket: Socket;
  readonly #sealer: RecordSealer;
  readonly #opener: RecordOpener;
  readonly #answers = new Map<number, (answer: RawAnswer) => void>();
  readonly #arrived = new Map<number, RawAnswer>();
  readonly #listeners = new Set<() => void>();
  #lastId = 1;
  #lastChange = 0;
  #isClosed = false;

  /** Shakes hands; the first request has id 1. */
  static async connect(scope: Scope, intrusion: Intrusion): Promise<Attacker> {
    const first = intrusion.firstRequest ?? Buffer.concat(encodeRequest(1, 'login', loginOf(intrusion)));
    const { socket, keys, leftover } = await openConnection(
      {
        host: HOST,
        port: intrusion.port,
        staticKeyPair: intrusion.keyPair ?? generateKeyPair(),
        verifyHost: () => Promise.resolve(),
      },
      first,
    );
    const attacker = new Attacker(socket, keys, leftover);
    scope.teardown(() => attacker.close());
    return attacker;
  }

  /** connect(), and waits for the login to be accepted. */
  static async logIn(scope: Scope, intrusion: Intrusion): Promise<Attacker> {
    const attacker = await Attacker.connect(scope, intrusion);
    const { kind } = await attacker.answer(1);
    if (kind !== 'ok') throw new Error(`the login was refused: ${kind}`);
    return attacker;
  }

  private constructor(
    socket: Socket,
    keys: Awaited<ReturnType<typeof openConnection>>['keys'],
    leftover: Buffer,
  ) {
    const { suite } = keys;
    this.socket = socket;
    this.#sealer = new RecordSealer(aead, { suite, key: keys.sendKey, count: keys.sendCount });
    this.#opener = new RecordOpener(
      aead,
      { suite, key: keys.receiveKey, count: keys.receiveCount },
      MAX_RECORD,
    );
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true;
        this.#notify();
        resolve();
      });
    });
    const receive = (bytes: Buffer): void => {
      this.#opener.feed(bytes);
      for (let record = this.#opener.next(); record !== undefined; record = this.#opener.next()) {
        this.#onMessage(decodeMessage(record));
      }
    };
    receive(leftover);
    setReceiver(socket, receive);
  }

  /** An id that was not used. */
  nextId(): number {
    return ++this.#lastId;
  }

  /** Sends bytes as they are. */
  raw(bytes: Buffer): void {
    if (!this.#isClosed) this.socket.write(bytes);
  }

  /** A record that holds this plaintext, whatever it is. The next one is expected to follow it on the wire. */
  sealed(plaintext: Uint8Array): Buffer {
    const record = Buffer.alloc(plaintext.length + RECORD_OVERHEAD);
    this.#sealer.seal([plaintext], plaintext.length, record, 0);
    return record;
  }

  /** Sends a plaintext as a record. */
  send(plaintext: Uint8Array): void {
    this.raw(this.sealed(plaintext));
  }

  /** Sends a request, and returns its id. */
  request(method: string, params: unknown, id: number = this.nextId(), data?: Buffer): number {
    // The encoder knows the real methods; what is sent is what the caller wants.
    const message = encodeRequest(id, method as MethodName, params as unknown[], data);
    this.send(Buffer.concat(message));
    return id;
  }

  /** A request and its answer. Texts among the parameters are paths. */
  call(method: string, params: readonly unknown[], data?: Buffer): Promise<RawAnswer> {
    const wire = params.map((param) => (typeof param === 'string' ? Buffer.from(param) : param));
    return this.answer(this.request(method, wire, undefined, data));
  }

  /** A change and its answer: an operation as it travels (raw-operations.ts), with the next number. */
  change(operation: RawOperation): Promise<RawAnswer> {
    return this.answer(this.requestChange(operation));
  }

  /** Sends a change, and returns the id of the request. */
  requestChange(operation: RawOperation): number {
    this.#lastChange += 1;
    return this.request('change', [this.#lastChange, operation, null]);
  }

  /** The answer of request `id`; rejects when the connection ends without it. */
  answer(id: number): Promise<RawAnswer> {
    const arrived = this.#arrived.get(id);
    this.#arrived.delete(id);
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve, reject) => {
      this.#answers.set(id, resolve);
      void this.closed.then(() =>
        reject(new Error(`the connection ended before request ${id} was answered`)),
      );
    });
  }

  /** Waits until `happened` holds, which is looked at with everything that arrives. */
  until(happened: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => reject(new Error('it did not happen')), PATIENCE_MS);
      const look = (): void => {
        if (!happened() && !this.#isClosed) return;
        clearTimeout(deadline);
        this.#listeners.delete(look);
        if (happened()) resolve();
        else reject(new Error('the connection ended before it happened'));
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Takes nothing more from the connection, so that the server's answers pile up. */
  stopReading(): void {
    this.socket.pause();
  }

  goOnReading(): void {
    this.socket.resume();
  }

  /** Ends the client in order: nobody waits for leases of it any more. */
  async logOut(): Promise<void> {
    await this.call('logout', []);
    await this.closed;
  }

  /** Breaks the connection. */
  async close(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  #onMessage(message: IncomingMessage): void {
    if (message.kind === 'response') {
      const { id, error } = message;
      const answer = { kind: error?.kind ?? 'ok', result: copy(message.result) };
      const waiting = this.#answers.get(id);
      this.#answers.delete(id);
      if (waiting === undefined) this.#arrived.set(id, answer);
      else waiting(answer);
    } else if (message.kind === 'notification') {
      this.notifications.push({ method: message.method, params: copy(message.params) });
    }
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** A TCP connection without a handshake. */
export function rawConnection(
  scope: Scope,
  port: number,
  localAddress?: string,
): { socket: Socket; connected: Promise<void>; closed: Promise<Buffer> } {
  const socket = connect({ host: HOST, port, ...(localAddress === undefined ? {} : { localAddress }) });
  const received: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (bytes: Buffer) => received.push(bytes));
  const closed = new Promise<Buffer>((resolve) => {
    socket.once('close', () => resolve(Buffer.concat(received)));
  });
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('close', () => reject(new Error('not connected')));
  });
  connected.catch(() => undefined);
  scope.teardown(() => socket.destroy());
  return { socket, connected, closed };
}

function copy(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  return Array.isArray(value) ? value.map(copy) : value;
}
