/*
 * The socket during the handshake: exact reads with one deadline, for both sides.
 *
 * Invariants: at most one read's worth of bytes is held (then the socket waits); every end of the socket
 * and of time rejects the read under way; after `release` the socket belongs to someone else.
 */
import type { Socket } from 'node:net';
import { clearReceiver, setReceiver } from './byte-source.js';
import { Failure } from '../failure.js';
import { MAX_HANDSHAKE_MESSAGE } from '../limits.js';

/** Before each handshake message. */
export const LENGTH_BYTES = 2;

interface PendingRead {
  readonly length: number;
  resolve(bytes: Buffer): void;
  reject(failure: Failure): void;
}

export class HandshakeStream {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #pending: PendingRead | undefined;
  #failure: Failure | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    // Stays for the life of the socket: a reset while nobody listens must not throw.
    socket.on('error', this.#onError);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
    setReceiver(socket, this.#onBytes);
  }

  /** From now on there are `ms` milliseconds; a new call replaces the last one, undefined stops the clock. */
  setDeadline(ms: number | undefined): void {
    clearTimeout(this.#timer);
    if (ms === undefined) return;
    this.#timer = setTimeout(() => {
      this.#fail(new Failure('ETIMEDOUT', 'the handshake took too long'));
    }, ms);
  }

  /** Why the connection ended, if it did. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** The next `length` bytes, the caller's own. */
  read(length: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#pending = { length, resolve, reject };
      this.#serve();
    });
  }

  /**
   * The next handshake message: LENGTH_BYTES of length, big-endian, which the caller may have read already, then the
   * message. Throws PROTOCOL past the limit.
   */
  async readMessage(prefix?: Buffer): Promise<Buffer> {
    const length = (prefix ?? (await this.read(LENGTH_BYTES))).readUInt16BE(0);
    if (length > MAX_HANDSHAKE_MESSAGE) {
      throw new Failure(
        'PROTOCOL',
        `a handshake message of ${length} bytes: ${MAX_HANDSHAKE_MESSAGE} are allowed`,
      );
    }
    return this.read(length);
  }

  /** Sends `before` and then a handshake message, in one write. */
  writeMessage(message: Buffer, before: Buffer = Buffer.alloc(0)): void {
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt16BE(message.length);
    this.#socket.write(Buffer.concat([before, length, message]));
  }

  /**
   * Sends `bytes` as the last ones, and waits until the peer has closed or time is over. A socket that is closed while
   * bytes of the peer are not read takes back what was sent to it.
   */
  async finish(bytes: Buffer): Promise<void> {
    this.#socket.end(bytes);
    await this.read(Infinity).catch(() => undefined);
  }

  /** Ends the stream's hold of the socket; returns what was received and not read. Throws if the connection ended. */
  release(): Buffer {
    if (this.#failure !== undefined) throw this.#failure;
    this.#detach();
    return Buffer.concat([this.#bytes, clearReceiver(this.#socket)]);
  }

  /** Gives up: closes the socket. */
  destroy(): void {
    this.#fail(new Failure('ECANCELED', 'the handshake was given up'));
    this.#detach();
    this.#socket.destroy();
  }

  #detach(): void {
    clearTimeout(this.#timer);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onEnd);
  }

  readonly #onBytes = (bytes: Buffer): void => {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    this.#serve();
    if (this.#bytes.length > MAX_HANDSHAKE_MESSAGE) this.#socket.pause();
  };

  #serve(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    if (this.#bytes.length >= pending.length) {
      this.#pending = undefined;
      pending.resolve(this.#bytes.subarray(0, pending.length));
      this.#bytes = this.#bytes.subarray(pending.length);
    } else if (this.#failure !== undefined) {
      this.#pending = undefined;
      pending.reject(this.#failure);
    } else {
      this.#socket.resume();
    }
  }

  #fail(failure: Failure): void {
    this.#failure ??= failure;
    this.#serve();
  }

  readonly #onError = (error: Error): void => {
    this.#fail(Failure.from(error));
  };

  readonly #onEnd = (): void => {
    this.#fail(new Failure('ECONNRESET', 'the peer closed the connection during the handshake'));
  };
}
