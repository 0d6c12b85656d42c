/**
 * Patterns of names, as a shell has them: * any characters, ? one, [...] one of these ([!...] none of them), a backslash takes the
 * next as it is. None matches a slash, nor a dot at the beginning of a name. What directories hold the caller knows, so that
 * the same works here and on a server.
 *
 * A name that is no UTF-8 is matched byte by byte.
 */

/** What a directory holds. */
export interface Entry {
  readonly name: Buffer;
  readonly isDirectory: boolean;
}

/** The entries of a directory as it was written, empty: the current one. None of what is none. */
export type Lister = (directory: Buffer) => Promise<readonly Entry[]>;

/** What matches one character: this one, or what is true of it; or any number of any. */
type Piece = string | ((character: string) => boolean) | typeof MANY;

const MANY = Symbol('any number of any');

interface Found {
  readonly path: Buffer;
  readonly isDirectory: boolean;
}

const SLASH = Buffer.from('/');

/** The paths that a pattern matches, written as it is, in the order of their bytes in each directory. */
export async function expand(pattern: string, list: Lister): Promise<Buffer[]> {
  const components = pattern.split('/');
  let found: Found[] = [{ path: Buffer.alloc(0), isDirectory: true }];
  let isMatched = false;
  for (const [index, component] of components.entries()) {
    const isLast = index === components.length - 1;
    if (component === '') {
      if (index === 0) found = [{ path: SLASH, isDirectory: true }];
      else if (isLast) found = directories(found).map(({ path }) => directory(Buffer.concat([path, SLASH])));
      continue;
    }
    const name = withoutBackslashes(component);
    if (!isMatched && !isMagic(component)) {
      found = found.map(({ path }) => directory(join(path, Buffer.from(name))));
    } else if (name === '.' || name === '..') {
      found = directories(found).map(({ path }) => directory(join(path, Buffer.from(name))));
    } else {
      isMatched = true;
      const pieces = piecesOf(component);
      const next: Found[] = [];
      for (const { path } of directories(found)) next.push(...(await matchesIn(path, pieces, list)));
      found = next;
    }
  }
  return found.map(({ path }) => path);
}

/** Whether a name matches a pattern without slashes. */
export function matches(pattern: string, name: Buffer): boolean {
  return isMatch(piecesOf(pattern), charactersOf(name));
}

async function matchesIn(path: Buffer, pieces: readonly Piece[], list: Lister): Promise<Found[]> {
  return (await list(path))
    .filter(({ name }) => isMatch(pieces, charactersOf(name)))
    .toSorted((a, b) => Buffer.compare(a.name, b.name))
    .map(({ name, isDirectory }) => ({ path: join(path, name), isDirectory }));
}

function directories(found: readonly Found[]): readonly Found[] {
  return found.filter(({ isDirectory }) => isDirectory);
}

/** What is not looked at may be one. */
function directory(path: Buffer): Found {
  return { path, isDirectory: true };
}

function join(path: Buffer, name: Buffer): Buffer {
  if (path.length === 0 || path.at(-1) === SLASH[0]) return Buffer.concat([path, name]);
  return Buffer.concat([path, SLASH, name]);
}

function isMagic(component: string): boolean {
  return /[*?[]/.test(component.replaceAll(/\\./gsu, ''));
}

function withoutBackslashes(component: string): string {
  return component.replaceAll(/\\(.)/gsu, '$1');
}

function charactersOf(name: Buffer): string[] {
  const text = name.toString('utf8');
  return [...(Buffer.from(text).equals(name) ? text : name.toString('latin1'))];
}

/** Goes back to the last * only: what an earlier one might take more of, the last one can take as well. */
function isMatch(pieces: readonly Piece[], characters: readonly string[]): boolean {
  if (characters[0] === '.' && pieces[0] !== '.') return false;
  let [piece, at] = [0, 0];
  let star: { piece: number; at: number } | undefined;
  while (at < characters.length) {
    const wanted = pieces[piece];
    if (wanted === MANY) {
      star = { piece, at };
      piece += 1;
    } else if (wanted !== undefined && isOne(wanted, characters[at] ?? '')) {
      piece += 1;
      at += 1;
    } else if (star === undefined) {
      return false;
    } else {
      star.at += 1;
      [piece, at] = [star.piece + 1, star.at];
    }
  }
  return pieces.slice(piece).every((left) => left === MANY);
}

function isOne(piece: Exclude<Piece, typeof MANY>, character: string): boolean {
  return typeof piece === 'string' ? piece === character : piece(character);
}

function piecesOf(component: string): Piece[] {
  const characters = [...component];
  const pieces: Piece[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    if (character === '*') pieces.push(MANY);
    else if (character === '?') pieces.push(() => true);
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
  return { piece: (character) => isIn(character) !== isNegated, end: at };
}
