/**
 * Ctrl-C while a command works on a server: the first one aborts a signal, so that the command can end in order; GRACE_MS later
 * what it still waits for is broken off; a second one ends the process at once.
 */

/** How long a command may take to end in order after Ctrl-C (milliseconds). */
const GRACE_MS = 2_000;

/** Runs `use` with a signal that Ctrl-C, or SIGTERM, aborts. */
export async function withInterrupt<T>(use: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await use(interrupted.signal);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** Runs `use`, and calls `breakOff` where it has not ended GRACE_MS after `signal`. */
export async function withGrace<T>(
  signal: AbortSignal,
  breakOff: () => void,
  use: () => Promise<T>,
): Promise<T> {
  let grace: NodeJS.Timeout | undefined;
  const endSoon = (): void => {
    grace = setTimeout(breakOff, GRACE_MS);
  };
  signal.addEventListener('abort', endSoon);
  if (signal.aborted) endSoon();
  try {
    return await use();
  } finally {
    clearTimeout(grace);
    signal.removeEventListener('abort', endSoon);
  }
}
