/*
 * What every source file has to be like, and where foreign functions are called. Who may import whom: layering.test.ts.
 */
import t from 'tap';
import { modulesOf, readSources, type Source } from './lib/sources.js';

const FOREIGN_FUNCTIONS = 'koffi';
const MAX_LINES = 500;
const VAGUE = /^(utils?|common|misc|helpers?|stuff)$/;

const sources = readSources();

/** A program of a user, which does what no part of the product does (mmap). */
const FOREIGN_IN_TESTS = 'test/lib/open-files.ts';

t.test('foreign functions are called in posix/ only', async (t) => {
  const importers = sources.filter(({ text }) => modulesOf(text).includes(FOREIGN_FUNCTIONS));
  t.not(importers.length, 0);
  t.same(
    importers
      .map(({ file }) => file)
      .filter((file) => !file.startsWith('posix/') && file !== FOREIGN_IN_TESTS),
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
