/*
 * The architecture as the listing promises it: which directory may import which, where foreign functions are called,
 * and what every source file has to be like.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = findRoot(path.dirname(fileURLToPath(import.meta.url)));

/** For each part the other parts it may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  posix: [],
  state: ['protocol', 'posix'],
  daemon: ['protocol', 'posix', 'state'],
  mount: ['protocol', 'posix'],
  ctl: ['protocol', 'posix', 'state'],
  // Programs that use the others from outside.
  bench: ['test'],
  demo: [],
};
const PARTS = Object.keys(MAY_IMPORT);
const FOREIGN_FUNCTIONS = 'koffi';
const MAX_LINES = 500;
const VAGUE = /^(utils?|common|misc|helpers?|stuff)$/;

interface Source {
  /** Relative to the repository. */
  readonly file: string;
  readonly part: string;
  readonly text: string;
}

const sources = [...PARTS, 'test'].flatMap((part) => listSources(part));

t.test('every part has sources, so that what follows says something', async (t) => {
  for (const part of ['protocol', 'posix', 'state', 'daemon', 'mount', 'ctl', 'bench', 'demo', 'test'])
    t.ok(
      sources.some((source) => source.part === part),
      part,
    );
});

t.test('imports cross parts only in the direction of the architecture', async (t) => {
  for (const part of PARTS) {
    const allowed = [part, ...(MAY_IMPORT[part] ?? [])];
    const wrong = sources
      .filter((source) => source.part === part)
      .flatMap((source) => importsOf(source).map((imported) => ({ file: source.file, imported })))
      .filter(({ imported }) => !allowed.includes(imported.split('/')[0] ?? ''));
    t.same(wrong, [], part);
  }
});

t.test('the direction of imports is really seen', async (t) => {
  const sample: Source = {
    file: 'protocol/noise/x.ts',
    part: 'protocol',
    text: [
      `import fs from 'node:fs';`,
      `import {\n  a,\n} from '../../posix/files.js';`,
      `import type { B } from '../../daemon/b.js';`,
      `export { c } from '../../mount/c.js';`,
      `export * from '../../ctl/d.js';`,
      `import '../../state/e.js';`,
      `const f = await import('../../bench/f.js');`,
      `import g from './g.js';`,
    ].join('\n'),
  };
  t.same(importsOf(sample), [
    'posix/files.js',
    'daemon/b.js',
    'mount/c.js',
    'ctl/d.js',
    'state/e.js',
    'bench/f.js',
    'protocol/noise/g.js',
  ]);
});

t.test('foreign functions are called in posix/ only', async (t) => {
  const importers = sources.filter(({ text }) => modulesOf(text).includes(FOREIGN_FUNCTIONS));
  t.not(importers.length, 0);
  t.same(
    importers.filter(({ part }) => part !== 'posix').map(({ file }) => file),
    [],
  );
});

t.test('what a file is for is said by its name', async (t) => {
  t.same(
    filesWhere(({ file }) => file.split(/[/.-]/).some((word) => VAGUE.test(word))),
    [],
  );
});

t.test('and by its first lines; a test has the name of what it tests', async (t) => {
  t.same(
    filesWhere(({ file, text }) => !file.endsWith('.test.ts') && !/^(#!.*\n)?\/\*/.test(text)),
    [],
  );
});

t.test(`no file has more than ${MAX_LINES} lines`, async (t) => {
  t.same(
    filesWhere(({ text }) => text.trimEnd().split('\n').length > MAX_LINES),
    [],
  );
});

t.test('sources name no place of the machine they were written on', async (t) => {
  const places = new RegExp(String.raw`['"\x60\s(]/(?:work|root|tmp)/`);
  t.same(
    filesWhere(({ text }) => places.test(text)),
    [],
  );
});

/** Names of the sources that the test is true of. */
function filesWhere(test: (source: Source) => boolean): string[] {
  return sources.filter(test).map(({ file }) => file);
}

/** The repository: the nearest directory above with a package.json that has the sources beside it. */
function findRoot(from: string): string {
  for (let directory = from; directory !== '/'; directory = path.dirname(directory))
    if (readdirSync(directory).includes('tsconfig.json')) return directory;
  throw new Error(`${from} is not inside a checkout`);
}

function listSources(part: string): Source[] {
  return readdirSync(path.join(root, part), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const file = path.join(part, name);
      return { file, part, text: readFileSync(path.join(root, file), 'utf8') };
    });
}

/** The module specifiers of static, re-exporting, side-effect and dynamic imports. */
function modulesOf(text: string): string[] {
  const specifiers = text.matchAll(/(?:\bfrom|^\s*import|\bimport\s*\(|\brequire\s*\()\s*['"]([^'"]+)['"]/gm);
  return [...specifiers].map((match) => match[1] ?? '');
}

/** The files of the repository that a source imports, relative to the repository. */
function importsOf({ file, text }: Source): string[] {
  return modulesOf(text)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => path.join(path.dirname(file), specifier));
}
