/**
 * What put and get leave out, by --exclude and --include: the first rule that matches decides, as in rsync; what none matches is
 * copied. A directory that is left out is not looked into.
 *
 * A pattern (patterns.ts) without a slash is of the last name of a path; one with a slash, or **, is of its last names; one that
 * begins with a slash is of all of it, from what was named on the command line on (`photos/2024` for `photos`, `2024` for
 * `photos/`). One that ends with a slash is of directories only.
 */
import { Failure } from '../../protocol/failure.js';
import { charactersOf, isMatch, piecesOf, type Piece } from '../patterns.js';

export interface FilterRule {
  readonly excludes: boolean;
  readonly pieces: readonly Piece[];
  readonly directoriesOnly: boolean;
  /** Which part of a path it is of. */
  readonly scope: 'name' | 'end' | 'path';
}

/** Reads a pattern. Throws USAGE. */
export function parseRule(pattern: string, excludes: boolean): FilterRule {
  const directoriesOnly = pattern.endsWith('/');
  const body = directoriesOnly ? pattern.slice(0, -1) : pattern;
  const isAnchored = body.startsWith('/');
  // What is of the last names is at any depth anyway.
  const text = isAnchored ? body.slice(1) : body.replace(/^\*\*\//, '');
  if (text === '') throw new Failure('USAGE', `'${pattern}' is no pattern: write a name, such as *.o`);
  const scope = isAnchored ? 'path' : /\/|\*\*/.test(body) ? 'end' : 'name';
  return { excludes, pieces: piecesOf(text, true), directoriesOnly, scope };
}

/** Whether a path, from what was named on the command line on, is left out. */
export function isExcluded(rules: readonly FilterRule[], path: Buffer, isDirectory: boolean): boolean {
  if (rules.length === 0) return false;
  const characters = charactersOf(path);
  const rule = rules.find((one) => (isDirectory || !one.directoriesOnly) && isOf(one, characters));
  return rule?.excludes === true;
}

function isOf({ scope, pieces }: FilterRule, path: readonly string[]): boolean {
  if (scope === 'path') return isMatch(pieces, path);
  if (scope === 'name') return isMatch(pieces, path.slice(path.lastIndexOf('/') + 1));
  return path.some(
    (_, start) => (start === 0 || path[start - 1] === '/') && isMatch(pieces, path.slice(start)),
  );
}
