/* The password thread: one check after the other, bounded. */
import t from 'tap';
import { Argon2Thread } from '../../daemon/argon2-thread.js';
import { hashPassword } from '../../state/password.js';

t.test('checks passwords, in order, off this thread', async (t) => {
  const thread = new Argon2Thread();
  t.teardown(() => thread.close());
  const hash = await hashPassword('right');
  const order: string[] = [];
  const proceed = (name: string) => () => {
    order.push(name);
    return name !== 'refused';
  };
  const results = await Promise.all([
    thread.verify(hash, 'right', proceed('first')),
    thread.verify(hash, 'wrong', proceed('second')),
    thread.verify(hash, 'right', proceed('refused')),
    thread.verify(hash, 'right', proceed('last')),
  ]);
  t.same(results, [true, false, undefined, true]);
  t.same(order, ['first', 'second', 'refused', 'last']);
});

t.test('too many are refused, and closing refuses those that wait', async (t) => {
  const thread = new Argon2Thread();
  t.teardown(() => thread.close());
  const always = (): boolean => true;
  const checks = Array.from({ length: 66 }, () =>
    thread.verify('no hash', 'x', always).catch((error: unknown) => (error as { kind: string }).kind),
  );
  t.equal(await checks[65], 'EAGAIN');
  await thread.close();
  const kinds = await Promise.all(checks.slice(1));
  t.same(new Set(kinds), new Set(['ESHUTDOWN', 'EAGAIN']));
});
