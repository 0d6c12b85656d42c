/**
 * The one error class of the project. Its kinds are closed: an errno name is a failed operation, which is
 * answered; PROTOCOL is a fault of the peer, which closes the connection (never answered, never retried on it).
 *
 * A Failure has no stack: it is expected, and what is not has one in its cause. Capturing one costs 20 us where a throw without
 * it costs one, and a FUSE request takes 30 in all (100,000 of them thrown 8 calls deep; Node 20 and 24).
 */
import { ERRNO, isErrnoName, type ErrnoName } from './errno.js';

/**
 * What failed. Besides the errno names:
 * - PROTOCOL: the peer broke the protocol; the connection is closed.
 * - HOSTKEY: the server's key is not the pinned one, or was not accepted.
 * - USAGE: the command line, a configuration file or an input of the person is wrong.
 */
export type FailureKind = ErrnoName | 'PROTOCOL' | 'HOSTKEY' | 'USAGE';

/** The errno that each other kind becomes where only an errno can be told (the kernel, a wire error). */
const ERRNO_OF_KIND: Record<Exclude<FailureKind, ErrnoName>, ErrnoName> = {
  PROTOCOL: 'EPROTO',
  HOSTKEY: 'EKEYREJECTED',
  USAGE: 'EINVAL',
};

/** An expected failure: a kind for programs, a message for people (one line, says what to do where it can). */
export class Failure extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string = kind, options?: ErrorOptions) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'Failure';
    this.kind = kind;
  }

  /** The errno name that stands for this failure. */
  get code(): ErrnoName {
    return isErrnoName(this.kind) ? this.kind : ERRNO_OF_KIND[this.kind];
  }

  /** The Linux errno number that stands for this failure, positive. */
  get errno(): number {
    return ERRNO[this.code];
  }

  /**
   * Any thrown value as a Failure: node's and posix's errors by their `code` (and `text`, for people), everything else (a bug) as EIO
   * with the cause kept for the log.
   */
  static from(thrown: unknown): Failure {
    if (thrown instanceof Failure) return thrown;
    if (thrown instanceof Error && 'code' in thrown && isErrnoName(thrown.code)) {
      const { message } = thrown;
      const text = 'text' in thrown && typeof thrown.text === 'string' ? thrown.text : message;
      return new Failure(thrown.code, text, { cause: thrown });
    }
    return new Failure('EIO', 'internal error', { cause: thrown });
  }
}

/** A failure as the other side tells it, [name, text]: a name that this side does not know is EIO, a control character `?`. */
export function failureFrom([name, text]: readonly [string, string]): Failure {
  return new Failure(isErrnoName(name) ? name : 'EIO', withoutControls(text));
}

/** Texts of a peer go to logs and terminals: control characters do not. */
export function withoutControls(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?');
}
