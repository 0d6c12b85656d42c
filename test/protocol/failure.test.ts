/* What a Failure tells: the errno that stands for it, the cause of a bug with its stack, and no stack of its own. */
import t from 'tap';
import { Failure, failureFrom } from '../../protocol/failure.js';

t.test('each kind has an errno', async (t) => {
  t.equal(new Failure('ENOENT').errno, 2);
  t.equal(new Failure('PROTOCOL').code, 'EPROTO');
  t.equal(new Failure('HOSTKEY').code, 'EKEYREJECTED');
  t.equal(new Failure('USAGE').code, 'EINVAL');
});

t.test('thrown values', async (t) => {
  const failure = new Failure('EDQUOT', 'the quota is used up');
  t.equal(Failure.from(failure), failure);
  const system = Object.assign(new Error('open: ENOENT'), { code: 'ENOENT', text: 'no such file' });
  t.match(Failure.from(system), { kind: 'ENOENT', message: 'no such file', cause: system });
  const bug = new TypeError('x is not a function');
  t.match(Failure.from(bug), { kind: 'EIO', cause: bug });
});

t.test('a stack is captured for a bug, not for a Failure', async (t) => {
  t.notMatch(new Failure('ENOENT').stack, /\n {4}at /);
  const bug = Failure.from(new TypeError('x is not a function')).cause;
  t.match(bug instanceof Error && bug.stack, /\n {4}at /);
});

t.test('what the other side tells', async (t) => {
  t.match(failureFrom(['ENOENT', 'gone\nx']), { kind: 'ENOENT', message: 'gone?x' });
  t.match(failureFrom(['ENOSUCHNAME', 'from a later version']), { kind: 'EIO' });
});
