/**
 * Patterns of names (patterns.ts), as a shell has them: none matches a dot at the beginning of a name. What directories hold the
 * caller knows, so that the same works here and on a server.
 */
import { charactersOf, isMatch, piecesOf, type Piece } from './patterns.js';

/** What a directory holds. */
export interface Entry {
  readonly name: Buffer;
  readonly isDirectory: boolean;
}

/** The entries of a directory as it was written, empty: the current one. None of what is none. */
export type Lister = (directory: Buffer) => Promise<readonly Entry[]>;

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
  return isNameMatch(piecesOf(pattern), charactersOf(name));
}

async function matchesIn(path: Buffer, pieces: readonly Piece[], list: Lister): Promise<Found[]> {
  return (await list(path))
    .filter(({ name }) => isNameMatch(pieces, charactersOf(name)))
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

/** A dot at the beginning is matched by a dot only. */
function isNameMatch(pieces: readonly Piece[], characters: readonly string[]): boolean {
  return (characters[0] !== '.' || pieces[0] === '.') && isMatch(pieces, characters);
}
