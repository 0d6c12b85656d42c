/**
 * What the failure of a request means that may have been carried out before, because it was sent, and then the
 * server restarted before it answered (after a mere loss of the connection the server remembers its answers).
 * As with NFS over a rebooting server: a removal that finds nothing was done, a creation that finds its own result too.
 */
import type { Attributes } from '../../protocol/attributes.js';
import type { Failure } from '../../protocol/failure.js';
import { OPEN_EXCLUSIVE, type MethodName } from '../../protocol/methods.js';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../posix/flags.js';

export type Verdict =
  /** Not explained by an earlier try. */
  | { readonly kind: 'failed' }
  /** It was carried out the first time; the result is nil. */
  | { readonly kind: 'done' }
  /** It was carried out if what is at `path` fits; the result are its attributes. */
  | { readonly kind: 'check'; readonly path: unknown; fits(found: Attributes): boolean }
  /** To be tried once more with other parameters. */
  | { readonly kind: 'again'; readonly params: unknown[] };

const FAILED: Verdict = { kind: 'failed' };
const DONE: Verdict = { kind: 'done' };

export function judgeReplay(method: MethodName, params: readonly unknown[], failure: Failure): Verdict {
  switch (method) {
    case 'unlink':
    case 'rmdir':
    case 'rename':
      return failure.kind === 'ENOENT' ? DONE : FAILED;
    case 'close':
      // The handle went with the session it belonged to.
      return DONE;
    case 'mkdir':
      return made(failure, params[0], S_IFDIR);
    case 'symlink':
      return made(failure, params[0], S_IFLNK);
    case 'mknod':
      return made(failure, params[0], Number(params[1]) & S_IFMT || S_IFREG);
    case 'link':
      // ENOENT: the file was moved by a request after this one.
      if (failure.kind !== 'EEXIST' && failure.kind !== 'ENOENT') return FAILED;
      return { kind: 'check', path: params[1], fits: (found) => found.nlink > 1 };
    case 'create': {
      const [path, flags, permissions] = params;
      if (failure.kind !== 'EEXIST' || (Number(flags) & OPEN_EXCLUSIVE) === 0) return FAILED;
      return { kind: 'again', params: [path, Number(flags) & ~OPEN_EXCLUSIVE, permissions] };
    }
    default:
      return FAILED;
  }
}

function made(failure: Failure, path: unknown, type: number): Verdict {
  if (failure.kind !== 'EEXIST') return FAILED;
  return { kind: 'check', path, fits: (found) => (found.mode & S_IFMT) === type };
}
