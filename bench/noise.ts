/*
 * Reproducible numbers: every run on every machine works on the same names, sizes, bytes and places.
 */

/** Numbers below 2^32 (Marsaglia's xorshift32). */
export function makeNoise(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
