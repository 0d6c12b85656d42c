/* Password hashes: what verifies, what does not, and that a decoy costs what a hash costs. */
import t from 'tap';
import { DECOY_HASH, hashPassword, verifyPassword } from '../../state/password.js';

t.test('only the password verifies', async (t) => {
  const hash = await hashPassword('pässword ');
  t.match(hash, /^\$argon2id\$v=19\$/);
  t.notMatch(hash, /pässword/);
  t.equal(await verifyPassword(hash, 'pässword '), true);
  t.equal(await verifyPassword(hash, 'pässword'), false);
  t.equal(await verifyPassword(hash, ''), false);
});

t.test('two hashes of one password differ', async (t) => {
  t.not(await hashPassword('same'), await hashPassword('same'));
});

t.test('the decoy has the form and the parameters of a hash, and no password', async (t) => {
  const parameters = (text: string): string[] => text.split('$').slice(0, 4);
  const hash = await hashPassword('x');
  t.same(parameters(DECOY_HASH), parameters(hash));
  t.equal(DECOY_HASH.length, hash.length);
  t.equal(await verifyPassword(DECOY_HASH, 'x'), false);
});

t.test('empty and overlong passwords are refused', async (t) => {
  await t.rejects(hashPassword(''), { name: 'Failure', kind: 'EINVAL' });
  await t.rejects(hashPassword('x'.repeat(1025)), { name: 'Failure', kind: 'EINVAL' });
});
