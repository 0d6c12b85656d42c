/*
 * PosixError: the one error of this directory: a system call said no, and why, by errno.
 *
 * The names come from koffi's table, which has every errno of Linux; node's own leaves out some that file
 * systems do return (EUCLEAN, EREMOTEIO, EHWPOISON). It has no stack, as the errors of node's own calls have none where they are
 * awaited: capturing one takes ten times as long as a stat(2) that finds nothing.
 */
import koffi from 'koffi';

/** Of two names for one number, the one not listed here is used (Linux errno.h: aliases). */
const ALIASES = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);

const strerror = koffi.load(null).func('strerror', 'str', ['int']) as (errno: number) => string;

const names = new Map<number, string>();
for (const [name, errno] of Object.entries(koffi.os.errno)) {
  if (!ALIASES.has(name)) names.set(errno, name);
}

export class PosixError extends Error {
  /** The name of the errno: 'ENOENT'. */
  readonly code: string;
  readonly errno: number;
  /** The call that failed, by its name in section 2 of the manual, or the library function. */
  readonly syscall: string;

  /** What happened in words, for people: 'no such file or directory'. The message says it for logs. */
  get text(): string {
    const text = strerror(this.errno);
    return text.charAt(0).toLowerCase() + text.slice(1);
  }

  constructor(errno: number, syscall: string) {
    const code = names.get(errno) ?? `E${errno}`;
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(`${syscall}: ${code}`);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'PosixError';
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}
