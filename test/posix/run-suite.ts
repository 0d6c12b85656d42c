/* Runs the suite in a directory: every operation in an empty directory of its own, as a test with its name. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { suite } from './suite.js';

type Test = typeof t;

/**
 * `cannot`: operations, as 'subject: name', that the file system is known not to have. `more`: subjects that not each file
 * system has.
 */
export function runSuite(
  t: Test,
  root: string,
  cannot: ReadonlySet<string> = new Set(),
  more: typeof suite = {},
): void {
  for (const [subject, operations] of Object.entries({ ...suite, ...more }))
    for (const [name, operation] of Object.entries(operations)) {
      const title = `${subject}: ${name}`;
      if (cannot.has(title)) continue;
      t.test(title, async (t) => {
        const directory = fs.mkdtempSync(path.join(root, 'op-'));
        t.doesNotThrow(() => operation(directory));
      });
    }
}
