/* What passwords may be set, and what is said of the others. */
import t from 'tap';
import { MIN_PASSWORD, requireGoodPassword } from '../../state/password-rules.js';

t.test('passwords that are refused', async (t) => {
  for (const [password, message] of [
    ['', /has 0 characters, and 8 are needed/],
    ['pässwör', /has 7 characters/],
    ['😀😀😀abcd', /has 7 characters/],
    ['Password1', /guessed first/],
    ['QWERTYUIOP', /guessed first/],
    ['1212121212', /guessed first/],
    ['Alexander.Smith', /guessed first/],
  ] as const) {
    t.throws(
      () => requireGoodPassword(password, 'alexander.smith', MIN_PASSWORD),
      { name: 'Failure', kind: 'EINVAL', message },
      password,
    );
  }
});

t.test('others are taken', async (t) => {
  for (const password of ['correct horse', 'kd83nmzq', 'ABCabc12!?']) {
    t.doesNotThrow(() => requireGoodPassword(password, 'alice', MIN_PASSWORD), password);
  }
  t.doesNotThrow(() => requireGoodPassword('kd8', 'alice', 3));
  t.throws(() => requireGoodPassword('kd83nmzq', 'alice', 9), { message: /9 are needed/ });
});
