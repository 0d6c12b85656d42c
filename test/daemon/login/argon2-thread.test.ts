/* The password thread: one check after the other. */
import t from 'tap';
import { Argon2Thread } from '../../../daemon/login/argon2-thread.js';
import { hashPassword } from '../../../state/password.js';

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

t.test('a check whose turn comes knows what became of those before it', async (t) => {
  const thread = new Argon2Thread();
  t.teardown(() => thread.close());
  const hash = await hashPassword('right');
  let failures = 0;
  const attempt = async (): Promise<void> => {
    const matches = await thread.verify(hash, 'wrong', () => failures < 2);
    if (matches === false) failures += 1;
  };
  await Promise.all(Array.from({ length: 6 }, attempt));
  t.equal(failures, 2);
});

t.test('closing refuses what is not done', async (t) => {
  const thread = new Argon2Thread();
  t.teardown(() => thread.close());
  const checks = Array.from({ length: 200 }, () =>
    thread.verify('no hash', 'x', () => true).catch((error: unknown) => (error as { kind: string }).kind),
  );
  await thread.close();
  t.same(new Set(await Promise.all(checks)), new Set(['ESHUTDOWN']));
});
