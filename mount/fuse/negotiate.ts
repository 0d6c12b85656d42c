/**
 * FUSE_INIT: what this driver asks of the kernel, and why. Pure: the kernel's offer in, the answer out.
 *
 * Not asked for, on purpose:
 * - FUSE_AUTO_INVAL_DATA: it drops cached pages whenever mtime moves, also by our own writes.
 * - FUSE_EXPLICIT_INVAL_DATA: with it an answer that tells a new size leaves the pages to a notification, which it may
 *   overtake: the kernel then reads zeros that nobody wrote (25 to 53 of 240 reads of a log that grew on the server).
 *   Without it the kernel drops the pages itself when the size changes (0 of 240).
 * - FUSE_ASYNC_DIO: with it the kernel does not drop the pages that were read while an asynchronous O_DIRECT write was under
 *   way (libaio, io_uring), and other programs go on reading what it replaced (some 1% of 440,000 reads beside such a writer;
 *   0 of 530,000 without). The price: random O_DIRECT reads, 16 at once, come at 0.75 times the rate (loopback, a machine at
 *   rest; 0.46, the median of 7 turns, on a busy one), as each waits for its answer.
 * - FUSE_NO_OPEN_SUPPORT, FUSE_NO_OPENDIR_SUPPORT: opens must reach the server (access, leases).
 * - FUSE_DONT_MASK, FUSE_POSIX_ACL, but with -o acl: the kernel applies umask, and checks permission bits. ACLs cost a request
 *   for each file whose permissions are checked, and what is made inherits them, so that its umask is not always what counts.
 */
import { Failure } from '../../protocol/failure.js';
import { MAX_DATA } from '../../protocol/limits.js';
import { INIT_EXT, type InitIn, type InitOut } from './structs.js';

/** FUSE_KERNEL_VERSION, and the newest minor version whose structs are those of structs.ts. */
const KERNEL_VERSION = 7;
const KERNEL_MINOR_VERSION = 39;

/** Linux 5.4: the first with all that is asked for here and a long-term kernel. */
const MIN_MINOR_VERSION = 31;

/** Data of the largest READ and WRITE. */
export const MAX_WRITE = MAX_DATA;

/** The unit of max_pages. On kernels with larger pages the kernel reduces max_write to what fits anyway. */
const PAGE_SIZE = 4096;

/** FUSE_*: flags of FUSE_INIT (fuse.h). */
export const INIT_FLAGS = {
  ASYNC_READ: 1 << 0,
  POSIX_LOCKS: 1 << 1,
  ATOMIC_O_TRUNC: 1 << 3,
  EXPORT_SUPPORT: 1 << 4,
  BIG_WRITES: 1 << 5,
  DONT_MASK: 1 << 6,
  FLOCK_LOCKS: 1 << 10,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  WRITEBACK_CACHE: 1 << 16,
  PARALLEL_DIROPS: 1 << 18,
  POSIX_ACL: 1 << 20,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  HANDLE_KILLPRIV_V2: 1 << 28,
  INIT_EXT,
} as const;

/** The same of flags2. FUSE_DIRECT_IO_ALLOW_MMAP: Linux 6.6. */
const INIT_FLAGS2 = { DIRECT_IO_ALLOW_MMAP: 1 << (36 - 32) } as const;

/** Taken where the kernel offers it. */
const WANTED =
  INIT_FLAGS.ASYNC_READ | // several READs of one file at once: readahead overlaps with the network
  INIT_FLAGS.POSIX_LOCKS | // locks hold between mounts: without it the kernel keeps them itself, for this machine
  INIT_FLAGS.FLOCK_LOCKS | // the same of flock(2)
  INIT_FLAGS.ATOMIC_O_TRUNC | // one OPEN instead of OPEN and SETATTR: one round trip
  INIT_FLAGS.EXPORT_SUPPORT | // file handles lead to what the kernel has forgotten: it asks for '.' of a number
  INIT_FLAGS.BIG_WRITES | // else 4 KiB each (kernels since 4.20 always do)
  INIT_FLAGS.DO_READDIRPLUS | // a listing answers the lookups of `ls -l` and `find`
  INIT_FLAGS.READDIRPLUS_AUTO | // but costs nothing where only names are read
  INIT_FLAGS.PARALLEL_DIROPS | // lookups and listings of one directory do not queue up
  INIT_FLAGS.ABORT_ERROR | // tells an aborted connection (ECONNABORTED) from an unmount (ENODEV)
  INIT_FLAGS.MAX_PAGES | // 256 pages a request instead of 32
  INIT_FLAGS.CACHE_SYMLINKS | // targets of symlinks are kept as pages of the node
  INIT_FLAGS.HANDLE_KILLPRIV_V2 | // a file that has no capabilities is not asked for them at each write (SB_NOSEC)
  INIT_FLAGS.INIT_EXT; // there is flags2

const WANTED2 = INIT_FLAGS2.DIRECT_IO_ALLOW_MMAP; // what is read past the page cache can be mapped

/** Taken with -o acl: what is made has the umask applied in the mount, or inherits an ACL. */
const ACLS = INIT_FLAGS.POSIX_ACL | INIT_FLAGS.DONT_MASK;

/** Without these the driver would be wrong, not just slower. */
const REQUIRED = INIT_FLAGS.ATOMIC_O_TRUNC | INIT_FLAGS.MAX_PAGES;

/**
 * Requests the kernel keeps going without a waiting process (readahead, writeback, RELEASE), and from how many on
 * it holds back readahead. The default of 12 is less than 1 MiB requests over a long line want.
 */
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;

export interface NegotiationOptions {
  /**
   * FUSE_WRITEBACK_CACHE: writes end in the page cache. The kernel then trusts its own size and mtime of a file, so
   * the file system must be built for it. Default false.
   */
  readonly writeback?: boolean;
  /** The file system keeps POSIX ACLs, which the kernel then checks. Default false. */
  readonly acls?: boolean;
}

/** What both sides will do. `reply` is the body of the answer. */
export interface Negotiation {
  readonly reply: InitOut;
  /** False when the kernel was only told our version and asks again. */
  readonly settled: boolean;
  /** Files that are open past the page cache can be mapped shared. */
  readonly mapsDirect: boolean;
  /** Extended attributes are served: not where the kernel would ask for one at each write (Linux before 5.11). */
  readonly xattrs: boolean;
}

/** Answers FUSE_INIT. Throws Failure EPROTO where the kernel is too old. */
export function negotiate(offer: InitIn, options: NegotiationOptions = {}): Negotiation {
  // A newer major version gets ours and sends INIT again in it (fuse.h, version negotiation).
  if (offer.major > KERNEL_VERSION) {
    return { reply: answer(offer, 0, 0), settled: false, mapsDirect: false, xattrs: false };
  }
  if (offer.major < KERNEL_VERSION || offer.minor < MIN_MINOR_VERSION) {
    throw new Failure(
      'EPROTO',
      `the kernel speaks FUSE ${offer.major}.${offer.minor}, and ${KERNEL_VERSION}.${MIN_MINOR_VERSION} (Linux 5.4) is needed: use a newer kernel`,
    );
  }
  if ((offer.flags & REQUIRED) !== REQUIRED) {
    throw new Failure('EPROTO', 'the kernel does not offer what is needed of FUSE: use a newer kernel');
  }
  const flags2 = offer.flags2 & WANTED2;
  const mapsDirect = (flags2 & INIT_FLAGS2.DIRECT_IO_ALLOW_MMAP) !== 0;
  const xattrs = (offer.flags & INIT_FLAGS.HANDLE_KILLPRIV_V2) !== 0;
  const writeback = options.writeback === true ? INIT_FLAGS.WRITEBACK_CACHE : 0;
  const acls = options.acls === true && xattrs ? ACLS : 0;
  const wanted = WANTED | writeback | acls;
  return { reply: answer(offer, offer.flags & wanted, flags2), settled: true, mapsDirect, xattrs };
}

function answer(offer: InitIn, flags: number, flags2: number): InitOut {
  return {
    major: KERNEL_VERSION,
    minor: KERNEL_MINOR_VERSION,
    // The kernel takes the smaller of this and its own limit: 128 KiB unless root raises it (mountpoint.ts).
    maxReadahead: Math.max(offer.maxReadahead, MAX_WRITE),
    flags: flags >>> 0,
    maxBackground: MAX_BACKGROUND,
    congestionThreshold: CONGESTION_THRESHOLD,
    maxWrite: MAX_WRITE,
    timeGran: 1,
    maxPages: MAX_WRITE / PAGE_SIZE,
    flags2,
  };
}
