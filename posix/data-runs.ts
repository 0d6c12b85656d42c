/*
 * What of some bytes has to be written into a hole of a file, or behind its end: zeros are there already.
 */

/** Shorter runs of zeros are written: a hole in so little costs more than it saves. */
const HOLE_BYTES = 32 * 1024;
const ZEROS = Buffer.alloc(HOLE_BYTES);

/** The stretches of `data` that are no holes, in order; `end` is exclusive. */
export function* dataRuns(data: Buffer): Generator<{ readonly start: number; readonly end: number }> {
  let start = 0;
  for (let at = 0; at < data.length; at += HOLE_BYTES) {
    const end = Math.min(at + HOLE_BYTES, data.length);
    // Mostly the first byte tells.
    if (data[at] !== 0 || data.compare(ZEROS, 0, end - at, at, end) !== 0) continue;
    if (start < at) yield { start, end: at };
    start = end;
  }
  if (start < data.length) yield { start, end: data.length };
}
