/* What is said of a soft quota that was passed, by servers and clients alike. */

/**
 * Undefined: nothing is to be said. `graceLeft`: seconds; null: the use is within it. `excess` and `left`: what is over, and how long
 * that may be, as they are written.
 */
export function softQuotaAdvice(
  graceLeft: number | null,
  { excess, left }: { excess: string; left: string },
): string | undefined {
  if (graceLeft === null) return undefined;
  return graceLeft > 0
    ? `${excess}: remove that within ${left}, or nothing more is taken`
    : `${excess}, and the time of grace is over: nothing more is taken until that is removed`;
}
