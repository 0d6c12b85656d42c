/*
 * Runs the test files, all or those below the directories that are named, and says as TAP what became of each, for `tap -` to read.
 * tap starts each file with a loader that notes for coverage what is imported, a third of a second of CPU a file: by NODE_OPTIONS,
 * which `env` takes away again.
 */
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import t from 'tap';

/** How long one file may take, in seconds. */
const TIMEOUT = 240;

const here = import.meta.dirname;
const named = process.argv.slice(2);
const files = (named.length === 0 ? [''] : named).flatMap((directory) =>
  readdirSync(path.join(here, directory), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => path.join(here, directory, file)),
);

t.setTimeout(0);
t.jobs = availableParallelism() + 1; // One of them mostly waits: for a disk, a term, a program to start.
for (const file of files.toSorted()) {
  const options = {
    buffered: true,
    timeout: TIMEOUT * 1000,
    env: { ...process.env, TAP_TIMEOUT: String(TIMEOUT) },
  };
  const args = ['-u', 'NODE_OPTIONS', process.execPath, '--enable-source-maps', file];
  t.spawn('env', args, options, path.relative(process.cwd(), file));
}
