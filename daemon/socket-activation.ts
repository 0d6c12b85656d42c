/*
 * The socket on which the service manager listens for the daemon (sd_listen_fds(3), systemd's socket units). It stays open while
 * the daemon is restarted: who connects meanwhile waits in its queue and is not refused.
 */
import { fd, type Fd } from '../posix/fd.js';
import { Failure } from '../protocol/failure.js';

/** Where those that are handed over begin (SD_LISTEN_FDS_START). */
const FIRST = 3;

/** Undefined where none is handed over to this process. Throws USAGE where there are more than one. */
export function inheritedSocket(environment: NodeJS.ProcessEnv = process.env): Fd | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = environment;
  if (Number(pid) !== process.pid || Number(count) === 0) return undefined;
  if (count !== '1') {
    throw new Failure(
      'USAGE',
      `the service manager listens on ${count} sockets: one ListenStream= is served`,
    );
  }
  return fd(FIRST);
}
