import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { History } from '../../../ctl/shell/history.js';
import { temporaryDirectory } from '../../lib/directory.js';

t.test('lines are kept for the next time, for their owner only', async (t) => {
  const path = join(temporaryDirectory(t), 'state/history');
  const first = History.open(path);
  for (const line of ['ls', 'cd docs', 'cd docs', '', '   ', ' secret', 'pwd']) first.add(line);
  t.strictSame(first.lines, ['pwd', 'cd docs', 'ls']);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
  chmodSync(path, 0o644);
  t.strictSame(History.open(path).lines, ['pwd', 'cd docs', 'ls']);
  t.equal(statSync(path).mode & 0o777, 0o600);
});

t.test('two prompts add to one history', async (t) => {
  const path = join(temporaryDirectory(t), 'history');
  const [one, other] = [History.open(path), History.open(path)];
  one.add('a');
  other.add('b');
  one.add('c');
  t.strictSame(History.open(path).lines, ['c', 'b', 'a']);
});

t.test('it does not grow for ever', async (t) => {
  const path = join(temporaryDirectory(t), 'history');
  writeFileSync(path, Array.from({ length: 2001 }, (_, n) => `line ${n}\n`).join(''));
  t.equal(History.open(path).lines[0], 'line 2000');
  t.equal(readFileSync(path, 'utf8').split('\n').length, 1001);
  t.equal(statSync(path).mode & 0o777, 0o600);
});

t.test('that it cannot be kept is no failure', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'file'), '');
  const history = History.open(join(directory, 'file/history'));
  history.add('ls');
  t.strictSame(history.lines, ['ls']);
});
