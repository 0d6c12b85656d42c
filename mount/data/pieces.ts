/**
 * Putting together the bytes that a read asks for from data that came in parts.
 *
 * Invariant, and why this is one function: what it returns are the bytes of [offset, end), each at its place, or nothing. That
 * parts were contiguous when they were asked for says nothing about when they are read: some may be gone by then.
 */

/** Bytes of a file: those of [start, start + data.length). */
export interface Part {
  readonly start: number;
  /** Undefined until they have come, and when they are gone. */
  readonly data: Buffer | undefined;
}

/** `parts` in the order of the file, disjoint. Undefined where a byte is missing; the pieces are views. */
export function assemble(parts: Iterable<Part>, offset: number, end: number): Buffer[] | undefined {
  const pieces: Buffer[] = [];
  let at = offset;
  for (const { start, data } of parts) {
    if (at >= end) break;
    if (data === undefined || start + data.length <= at) continue;
    if (start > at) return undefined;
    const piece = data.subarray(at - start, Math.min(data.length, end - start));
    pieces.push(piece);
    at += piece.length;
  }
  return at >= end ? pieces : undefined;
}
