/**
 * Users in a file, as `ftpctl useradd --batch` and `ftpctl import` read them and `ftpctl export` writes them: JSON, one object a line or an array of
 * them, or CSV with a head. The fields are those of UserRecord; of what is missing, or an empty cell, the default counts.
 *
 * Invariant: nothing is guessed; what is not understood is a mistake of its line, and all mistakes are found.
 */
import { Failure } from '../../protocol/failure.js';
import { recordOf, type Fields, type UserRecord } from '../../state/user-record.js';

/** What is wrong in a line (from 1; of a JSON array the place in it). */
export interface Mistake {
  readonly line: number;
  readonly message: string;
}

export interface ReadRecords {
  readonly records: readonly { readonly line: number; readonly record: UserRecord }[];
  readonly mistakes: readonly Mistake[];
}

export function readRecords(text: string): ReadRecords {
  return recordsOf(rowsOf(text));
}

export function recordsOf(rows: readonly Row[]): ReadRecords {
  const records: ReadRecords['records'][number][] = [];
  const mistakes: Mistake[] = [];
  for (const { line, fields } of rows) {
    try {
      records.push({ line, record: recordOf(requireUser(fields())) });
    } catch (error) {
      mistakes.push({ line, message: Failure.from(error).message });
    }
  }
  return { records, mistakes };
}

/** EINVAL: it is another line that `ftpctl export` wrote. */
function requireUser(fields: Fields): Fields {
  if (fields['group'] === undefined && fields['share'] === undefined) return fields;
  throw new Failure('EINVAL', 'it is no user: ftpctl import ftpmount reads groups and shares, too');
}

/** A line of a file. */
export interface Row {
  readonly line: number;
  /** Throws where the row is none. */
  readonly fields: () => Fields;
}

/** The lines of a file that say something. */
export function rowsOf(text: string): Row[] {
  const plain = text.replace(/^\ufeff/, '');
  const lines = plain.split(/\r?\n/);
  const first = lines.findIndex((line) => line.trim() !== '');
  const head = lines[first]?.trimStart() ?? '';
  if (head.startsWith('[')) {
    const all = parseJson(plain);
    const users: unknown[] = Array.isArray(all) ? all : [];
    return users.map((one, index) => ({ line: index + 1, fields: () => objectOf(one) }));
  }
  const isJson = head.startsWith('{');
  const names = isJson ? [] : cellsOf(head).map((name) => name.trim());
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    const refuse = (): never => {
      throw new Failure('EINVAL', `there are two columns '${twice}'`);
    };
    return [{ line: first + 1, fields: refuse }];
  }
  return lines.flatMap((line, index) => {
    if (line.trim() === '' || (!isJson && index === first)) return [];
    const fields = (): Fields => (isJson ? objectOf(parseJson(line)) : namedCells(names, cellsOf(line)));
    return [{ line: index + 1, fields }];
  });
}

/** Throws EINVAL. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure('EINVAL', `it is not JSON (${error instanceof Error ? error.message : ''})`);
  }
}

/** Throws EINVAL. */
export function objectOf(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Failure('EINVAL', 'it is no JSON object');
}

function namedCells(names: readonly string[], cells: readonly string[]): Fields {
  if (cells.length !== names.length) {
    throw new Failure('EINVAL', `there are ${cells.length} cells, and ${names.length} in the head`);
  }
  // A password may begin and end with spaces.
  return Object.fromEntries(
    names.map((name, index) => [name, name === 'password' ? cells[index] : cells[index]?.trim()]),
  );
}

/** The cells of a line of CSV (RFC 4180, without line ends in cells). */
function cellsOf(line: string): string[] {
  const cell = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  const cells: string[] = [];
  for (;;) {
    const match = cell.exec(line);
    if (match === null) throw new Failure('EINVAL', `its cell ${cells.length + 1} is not CSV`);
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return cells;
  }
}
