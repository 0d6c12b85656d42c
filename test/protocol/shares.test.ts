import t from 'tap';
import { packShare, share } from '../../protocol/shares.js';
import { METHODS } from '../../protocol/methods.js';
import { RELEASE, WRITE } from '../../protocol/operations.js';
import { METHOD_NAMES, METHOD_SAMPLES } from '../fuzz/samples.js';
import { failing } from '../lib/failing.js';

t.test('a share travels as its name and whether it may be written to', async (t) => {
  const team = share(['team', false]);
  t.same(team, { name: 'team', isWritable: false });
  t.same(packShare(team), ['team', false]);
});

t.test('a server cannot name one that leads elsewhere', async (t) => {
  for (const name of [
    '',
    '.',
    '..',
    '../x',
    'a/b',
    'a\0',
    'x'.repeat(33),
    'Team',
    '+team',
    Buffer.from('team'),
  ])
    t.throws(() => share([name, true]), failing('EINVAL'), String(name));
});

t.test('what is refused where a home may only be read: all that changes it, but what lets go', async (t) => {
  const changing = METHOD_NAMES.filter((name) => {
    const { params, changes } = METHODS[name];
    return changes(params(copyOf(METHOD_SAMPLES[name].params)) as never);
  });
  t.same(changing, [
    ...['apply', 'change', 'grant', 'uploadBegin', 'uploadWrite', 'uploadHole', 'uploadFinish'],
    ...['uploadFiles', 'uploadAbort', 'uploadRemove', 'trashRestore', 'trashRemove', 'trashEmpty'],
  ]);
  const release = (): unknown[] => [RELEASE, [4711, 8]];
  t.notOk(METHODS.apply.changes(METHODS.apply.params([1, [release(), release()], null])));
  t.notOk(METHODS.change.changes(METHODS.change.params([1, release(), null])));
  const write = [WRITE, [4711, 8], null, 0, Buffer.from('x')];
  t.ok(METHODS.apply.changes(METHODS.apply.params([1, [release(), write], null])));
});

/** Shapes put what they read in the place of what was there. */
function copyOf(value: unknown): unknown {
  return Array.isArray(value) ? value.map(copyOf) : value;
}
