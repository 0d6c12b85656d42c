/**
 * Takes the kernel's messages and sees to it that each request gets its answer: decodes it by the table, has the
 * handler serve it, encodes the result or the errno. No device: messages come by `handle`, answers go to a sink.
 *
 * Invariants:
 * - A request is answered once, whatever the file system does: a Failure by its errno, anything else that is thrown
 *   is a bug, logged and answered EIO.
 * - An answer that is known at once is sent before `handle` returns, so that cached metadata costs no promise.
 * - The message's buffer is not looked at after `handle` returned.
 */
import { ERRNO } from '../../protocol/errno.js';
import { Failure } from '../../protocol/failure.js';
import type { Eventually, Filesystem } from '../operations.js';
import { Reader } from './cursor.js';
import { Exchange, type ReplySink } from './exchange.js';
import { HANDLERS, type HandledName } from './handlers.js';
import { negotiate, type Negotiation, type NegotiationOptions } from './negotiate.js';
import { OPERATIONS, type Operation } from './opcodes.js';
import { readInHeader, type InHeader } from './structs.js';

/** Where faults are told: the part of a pino logger that is used here. */
export interface FaultLog {
  error(details: object, message: string): void;
}

export interface DispatchOptions extends NegotiationOptions {
  readonly filesystem: Filesystem;
  readonly sink: ReplySink;
  readonly log: FaultLog;
  /** FUSE_INIT was answered: the mount is usable, or the kernel is too old. */
  onInit(outcome: Negotiation | Failure): void;
}

/** A row of the table and its handler, their types forgotten: `route` is where they agree. */
interface Route {
  readonly operation: Operation<unknown, unknown>;
  serve(filesystem: Filesystem, exchange: Exchange, request: unknown): Eventually<unknown>;
}

function route<Name extends HandledName>(name: Name): Route {
  return { operation: OPERATIONS[name], serve: HANDLERS[name] } as unknown as Route;
}

const ROUTES: Route[] = [];
for (const name of Object.keys(HANDLERS) as HandledName[]) ROUTES[OPERATIONS[name].opcode] = route(name);

/** Answered ENOSYS where they are not served: then the kernel asks no more. */
const XATTR_OPCODES: ReadonlySet<number> = new Set(
  (['SETXATTR', 'GETXATTR', 'LISTXATTR', 'REMOVEXATTR'] as const).map((name) => OPERATIONS[name].opcode),
);

export class Dispatcher {
  readonly #filesystem: Filesystem;
  readonly #sink: ReplySink;
  readonly #log: FaultLog;
  readonly #options: DispatchOptions;
  readonly #reader = new Reader();
  /** Requests that wait for their operation, by `unique`: what FUSE_INTERRUPT can name. */
  readonly #waiting = new Map<number, Exchange>();
  #xattrs = false;

  constructor(options: DispatchOptions) {
    this.#options = options;
    this.#filesystem = options.filesystem;
    this.#sink = options.sink;
    this.#log = options.log;
  }

  /** Serves the message in the first `length` bytes of the buffer. Never throws. */
  handle(buffer: Buffer, length: number): void {
    const body = this.#reader.reset(buffer, length);
    let header: InHeader;
    try {
      header = readInHeader(body);
    } catch (error) {
      this.#log.error({ err: error, length }, 'a FUSE message without a header');
      return;
    }
    const exchange = new Exchange(header, this.#sink);
    const found = !this.#xattrs && XATTR_OPCODES.has(header.opcode) ? undefined : ROUTES[header.opcode];
    try {
      if (header.len !== length) throw new Failure('PROTOCOL', 'a FUSE message of a wrong length');
      if (found === undefined) this.#handleSpecial(exchange, body);
      else this.#serve(found, exchange, body);
    } catch (thrown) {
      this.#fail(exchange, thrown);
    }
  }

  #serve(found: Route, exchange: Exchange, body: Reader): void {
    const request = found.operation.decode(body, exchange.header);
    const result = found.serve(this.#filesystem, exchange, request);
    if (result instanceof Promise) void this.#settle(found, exchange, result);
    else this.#answer(found, exchange, result);
  }

  async #settle(found: Route, exchange: Exchange, result: Promise<unknown>): Promise<void> {
    this.#waiting.set(exchange.header.unique, exchange);
    try {
      this.#answer(found, exchange, await result);
    } catch (thrown) {
      this.#fail(exchange, thrown);
    } finally {
      this.#waiting.delete(exchange.header.unique);
    }
  }

  #answer(found: Route, exchange: Exchange, result: unknown): void {
    if (exchange.answered) return;
    if (found.operation === OPERATIONS.READ) throw new Error('a read settled without a reply');
    exchange.answer(found.operation, result);
  }

  /** What is not for the file system to answer. */
  #handleSpecial(exchange: Exchange, body: Reader): void {
    const { header } = exchange;
    switch (header.opcode) {
      case OPERATIONS.FORGET.opcode:
        this.#filesystem.forget(header.nodeId, OPERATIONS.FORGET.decode(body, header));
        return;
      case OPERATIONS.BATCH_FORGET.opcode:
        for (const { node, count } of OPERATIONS.BATCH_FORGET.decode(body, header)) {
          this.#filesystem.forget(node, count);
        }
        return;
      case OPERATIONS.INTERRUPT.opcode:
        // Messages arrive in the order in which they were read from the device, and the kernel interrupts only what
        // was read: one that is not waiting has been answered.
        this.#waiting.get(OPERATIONS.INTERRUPT.decode(body, header))?.interrupt();
        return;
      case OPERATIONS.INIT.opcode:
        this.#init(exchange, body);
        return;
      default:
        exchange.fail(ERRNO.ENOSYS);
    }
  }

  #init(exchange: Exchange, body: Reader): void {
    try {
      const negotiation = negotiate(OPERATIONS.INIT.decode(body, exchange.header), this.#options);
      this.#xattrs = negotiation.xattrs;
      exchange.answer(OPERATIONS.INIT, negotiation.reply);
      if (negotiation.settled) this.#options.onInit(negotiation);
    } catch (thrown) {
      exchange.fail(ERRNO.EPROTO);
      this.#options.onInit(Failure.from(thrown));
    }
  }

  #fail(exchange: Exchange, thrown: unknown): void {
    const { opcode, unique } = exchange.header;
    if (!(thrown instanceof Failure) || thrown.kind === 'PROTOCOL') {
      this.#log.error({ err: thrown, opcode, unique }, 'a FUSE request failed in an unexpected way');
    }
    // The kernel takes no answer to these two, and refuses one.
    if (opcode === OPERATIONS.FORGET.opcode || opcode === OPERATIONS.BATCH_FORGET.opcode) return;
    try {
      exchange.fail(thrown instanceof Failure ? thrown.errno : ERRNO.EIO);
    } catch (error) {
      this.#log.error({ err: error, opcode, unique }, 'the kernel refused an answer');
    }
  }
}
