/**
 * Mounting and unmounting for ordinary users: by fusermount3, which is setuid root and comes with the fuse3
 * package. It mounts, and passes the opened /dev/fuse through a socket whose descriptor number it finds in
 * _FUSE_COMMFD (libfuse util/fusermount.c).
 */
import { spawn } from 'node:child_process';
import { Failure } from '../../protocol/failure.js';
import { close } from '../../posix/files.js';
import type { Fd } from '../../posix/fd.js';
import { receiveDescriptor, socketpair } from '../../posix/sockets.js';

const PROGRAM = 'fusermount3';

/** Where the child sees the socket: behind standard input, output and error. */
const SOCKET_NUMBER = 3;

/** fusermount3's complaints are a line or two. */
const MAX_COMPLAINT = 4096;

/** An option's value: fusermount3 takes a backslash before a comma or a backslash. */
export function escapeOptionValue(value: string): string {
  return value.replace(/[\\,]/g, '\\$&');
}

/** Mounts with options as in `-o`. Returns the descriptor of /dev/fuse. */
export async function fusermountMount(mountpoint: string, options: readonly string[]): Promise<Fd> {
  const [ours, theirs] = socketpair();
  try {
    let running: Promise<void>;
    try {
      running = run(['-o', options.join(','), '--', mountpoint], theirs);
    } finally {
      close(theirs);
    }
    await running;
    // It has ended well, so the message is in the socket: this does not block.
    return receiveDescriptor(ours);
  } finally {
    close(ours);
  }
}

/** Unmounts. With `lazy` also what is in use: it disappears now, and ends with its last user. */
export function fusermountUnmount(mountpoint: string, lazy: boolean): Promise<void> {
  return run(['-u', ...(lazy ? ['-z'] : []), '--', mountpoint]);
}

/** Runs fusermount3 to its end; the socket is for it to pass a descriptor through. The child has its copy on return. */
function run(parameters: string[], socket?: Fd): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(PROGRAM, parameters, {
      stdio: ['ignore', 'ignore', 'pipe', ...(socket === undefined ? [] : [socket])],
      env: { ...process.env, ...(socket === undefined ? {} : { _FUSE_COMMFD: String(SOCKET_NUMBER) }) },
    });
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, MAX_COMPLAINT);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'ENOENT'
          ? new Failure('ENOENT', `${PROGRAM} is not installed: install the package fuse3, or mount as root`)
          : Failure.from(error),
      );
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(asFailure(complaint.trim(), code));
    });
  });
}

/** What fusermount3 complained about, as the failure that fits. */
function asFailure(complaint: string, code: number | null): Failure {
  // Several lines when it is verbose: the first says what.
  const [first = ''] = complaint.split('\n');
  const text = first.startsWith(PROGRAM) ? first : `${PROGRAM}: ${first || `ended with ${code}`}`;
  if (/busy/i.test(complaint)) return new Failure('EBUSY', text);
  if (/not found in .*mtab|not mounted|Invalid argument/i.test(complaint)) return new Failure('EINVAL', text);
  if (/device not found|\/dev\/fuse/i.test(complaint)) return new Failure('ENODEV', text);
  return new Failure('EPERM', text);
}
