/* What continuous integration counts in a report of tap. */
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { succeed } from '../lib/run.js';

const script = fileURLToPath(new URL('../../../.ci/named-tests', import.meta.url));

async function counts(t: Test, report: string, expected: string): Promise<void> {
  t.equal(await succeed('sh', ['-c', '"$1"', 'sh', script], { input: report }), `${expected}\n`);
}

t.test('tests count, their assertions and the files around them do not', (t) =>
  counts(
    t,
    `TAP version 14
# Subtest: a.test.js
    # Subtest: outer
        # Subtest: one
            ok 1 - should be equal
            ok 2 - should be equal
        ok 1 - one # time=1ms
        # Subtest: two
            not ok 1 - should be equal
        not ok 2 - two # time=1ms
    not ok 1 - outer # time=2ms
    ok 2 - left out # SKIP only root can
not ok 1 - a.test.js # time=3ms
# Subtest: b.test.js
    ok 1 - should be equal
    ok 2 - should be equal
ok 2 - b.test.js # time=1ms
1..2
`,
    '2 1',
  ),
);

t.test('what fails around tests that passed counts once, and so does what said nothing', (t) =>
  counts(
    t,
    `# Subtest: a.test.js
    # Subtest: outer
        # Subtest: one
            ok 1 - should be equal
        ok 1 - one # time=1ms
        not ok 2 - should be equal
    not ok 1 - outer # time=2ms
not ok 1 - a.test.js # time=3ms
# Subtest: b.test.js
    # Subtest: hangs
        ok 1 - should be equal
not ok 2 - timeout!
not ok 3 - timeout!
`,
    '1 3',
  ),
);
