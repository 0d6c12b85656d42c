/* A neighbour who guesses a password, and who knows it: nobody is kept out but who guessed, where that was. */
import t from 'tap';
import { generateKeyPair, type KeyPair } from '../../protocol/x25519.js';
import { Attacker } from '../lib/attacker.js';
import { passwordOf, startDaemon } from '../lib/daemon.js';

t.setTimeout(120_000);

const daemon = await startDaemon(t, {
  users: { alice: { quota: '1M' } },
  byPassword: true,
  args: ['--lockout-failures', '2'],
});
const laptop = generateKeyPair();
const ls = () => daemon.ftpctl(['ls', ...daemon.login('alice'), daemon.at('alice')]);

/** What becomes of a login with this password, from another device each time or from this one. */
async function login(password: string, keyPair?: KeyPair): Promise<string> {
  const attacker = await Attacker.connect(t, {
    ...{ port: daemon.port, user: 'alice', password },
    ...(keyPair === undefined ? {} : { keyPair }),
  });
  const { kind } = await attacker.answer(1);
  await attacker.close();
  return kind;
}

const guess = () => login('a guess');
const fromLaptop = () => login(passwordOf('alice'), laptop);

t.test('who guesses is locked out, and no device that was let in, also over a restart', async (t) => {
  t.equal(await fromLaptop(), 'ok');
  t.equal(await guess(), 'EKEYREJECTED');
  t.equal(await guess(), 'EKEYREJECTED');
  t.equal(await guess(), 'EAGAIN');
  t.equal(await fromLaptop(), 'ok');
  await daemon.stop();
  await daemon.start();
  t.equal(await guess(), 'EAGAIN');
  t.equal(await fromLaptop(), 'ok');
});

t.test(
  'who is locked out by a neighbour is told until when, and unlocked by the administrator',
  async (t) => {
    t.match(await ls(), {
      code: 5,
      stderr: /login of alice@.* failed: too many failed logins: try again in \d+ (s|min)/,
    });
    t.match(await daemon.ftpctl(['unlock', 'lily']), { code: 0, stdout: /ended: 0\n$/ });
    t.equal(await guess(), 'EAGAIN');
    t.match(await daemon.ftpctl(['unlock', '127.0.0.1']), {
      code: 0,
      stdout: 'failed logins of 127.0.0.1 forgotten, lockouts that ended: 1\n',
    });
    t.match(await ls(), { code: 0 });
  },
);
