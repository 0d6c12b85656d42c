/*
 * The clock of the leases: a test gives its own.
 */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /** Milliseconds since 1970; it may be set. */
  date(): number;
  /** Runs something later; the returned function calls it off. */
  after(ms: number, act: () => void): () => void;
}

/** Does not keep the process alive. */
export const CLOCK: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms).unref();
    return () => clearTimeout(timer);
  },
};
