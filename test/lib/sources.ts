/*
 * The sources of this repository as text, and what each of them imports: for tests of how they are made.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folders with sources. */
export const FOLDERS = [
  'program',
  'client',
  'protocol',
  'posix',
  'state',
  'locks',
  'daemon',
  'web',
  'mount',
  'ctl',
  'bench',
  'demo',
  'packaging',
  'test',
] as const;

export interface Source {
  /** Relative to the repository. */
  readonly file: string;
  readonly text: string;
}

/** All sources of all folders. */
export function readSources(): Source[] {
  const root = findRoot(path.dirname(fileURLToPath(import.meta.url)));
  return FOLDERS.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => {
        const file = path.join(folder, name);
        return { file, text: readFileSync(path.join(root, file), 'utf8') };
      }),
  );
}

/** The module specifiers of static, re-exporting, side-effect and dynamic imports, of types too. */
export function modulesOf(text: string): string[] {
  const specifiers = text.matchAll(/(?:\bfrom|^\s*import|\bimport\s*\(|\brequire\s*\()\s*['"]([^'"]+)['"]/gm);
  return [...specifiers].map((match) => match[1] ?? '');
}

/** The files of the repository that a source imports, relative to the repository. */
export function importsOf({ file, text }: Source): string[] {
  return modulesOf(text)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => path.join(path.dirname(file), specifier).replace(/\.js$/, '.ts'));
}

/** The repository: the nearest directory above that has the configuration of the compiler. */
function findRoot(from: string): string {
  for (let directory = from; directory !== '/'; directory = path.dirname(directory))
    if (readdirSync(directory).includes('tsconfig.json')) return directory;
  throw new Error(`${from} is not inside a checkout`);
}
