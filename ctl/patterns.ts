/**
 * Patterns: * any characters, ? one, [...] one of these ([!...] none of them), none of which is a slash; ** any characters with
 * slashes, where that is asked for; a backslash takes the next as it is.
 *
 * A name that is no UTF-8 is matched byte by byte. Matching takes time in proportion to both lengths, whatever they are.
 */

/** What matches one character: this one, or what is true of it; or any number of any. */
export type Piece = string | ((character: string) => boolean) | typeof MANY | typeof DEEP;

const MANY = Symbol('any number of any but slashes');
const DEEP = Symbol('any number of any');

/** The characters of a name or path. */
export function charactersOf(name: Buffer): string[] {
  const text = name.toString('utf8');
  return [...(Buffer.from(text).equals(name) ? text : name.toString('latin1'))];
}

/** Whether all of the characters match all of the pieces: all ways to do so are followed at once. */
export function isMatch(pieces: readonly Piece[], characters: readonly string[]): boolean {
  let reached = withSkipped(pieces, [0]);
  for (const character of characters) {
    const next: number[] = [];
    for (const at of reached) {
      const piece = pieces[at];
      if (piece === DEEP || piece === MANY) {
        if (piece === DEEP || isNoSlash(character)) next.push(at);
      } else if (typeof piece === 'string' ? piece === character : piece?.(character) === true) {
        next.push(at + 1);
      }
    }
    if (next.length === 0) return false;
    reached = withSkipped(pieces, next);
  }
  return reached.has(pieces.length);
}

/** Any number may be none. */
function withSkipped(pieces: readonly Piece[], reached: readonly number[]): ReadonlySet<number> {
  const all = new Set<number>();
  for (const first of reached) {
    let at = first;
    while (all.add(at) && (pieces[at] === MANY || pieces[at] === DEEP)) at += 1;
  }
  return all;
}

function isNoSlash(character: string): boolean {
  return character !== '/';
}

/** The pieces of a pattern. `**` is any number of any but where `deep`: then of slashes, too. */
export function piecesOf(pattern: string, deep = false): Piece[] {
  const characters = [...pattern];
  const pieces: Piece[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    if (character === '*' && deep && characters[at + 1] === '*') {
      pieces.push(DEEP);
      at += 1;
    } else if (character === '*') pieces.push(MANY);
    else if (character === '?') pieces.push(isNoSlash);
    else if (character === '\\') pieces.push(characters[++at] ?? '\\');
    else {
      const set = character === '[' ? readSet(characters, at + 1) : undefined;
      pieces.push(set?.piece ?? character);
      at = set?.end ?? at;
    }
  }
  return pieces;
}

/** A set from behind its `[` to its `]`; undefined where that is missing: then the `[` is one. */
function readSet(characters: readonly string[], start: number): { piece: Piece; end: number } | undefined {
  const isNegated = characters[start] === '!' || characters[start] === '^';
  const first = isNegated ? start + 1 : start;
  const ranges: (readonly [from: string, to: string])[] = [];
  let at = first;
  const take = (): string | undefined =>
    characters[at] === '\\' ? characters[(at += 2) - 1] : characters[at++];
  // A `]` that comes first is in the set.
  while (at < characters.length && (characters[at] !== ']' || at === first)) {
    const from = take() ?? '';
    const isRange = characters[at] === '-' && characters[at + 1] !== ']' && at + 1 < characters.length;
    if (isRange) at += 1;
    ranges.push([from, isRange ? (take() ?? '') : from]);
  }
  if (at >= characters.length) return undefined;
  const isIn = (character: string): boolean =>
    ranges.some(([from, to]) => from <= character && character <= to);
  return { piece: (character) => isNoSlash(character) && isIn(character) !== isNegated, end: at };
}
