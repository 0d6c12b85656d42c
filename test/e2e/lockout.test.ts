/* A neighbour who guesses a password, and who knows it: nobody is kept out but who guessed, where that was. */
import { connect } from 'node:net';
import t from 'tap';
import { generateKeyPair, type KeyPair } from '../../protocol/transport/x25519.js';
import { logIn } from '../lib/accounts.js';
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

t.test('who is banned is out at once, gets no word of the server, also after a restart', async (t) => {
  const login = { port: daemon.port, user: 'alice', password: passwordOf('alice'), keyPair: laptop };
  const inside = await logIn(t, login);
  t.match(await daemon.ftpctl(['ban', '127.0.0.1/8', '--for', '1h']), {
    code: 0,
    stdout: /^127\.0\.0\.0\/8 is banned until [-\d]+ [:\d]+, sessions that ended: 1\n$/,
  });
  await inside.closed;
  const answer = async (): Promise<string> => {
    const socket = connect(daemon.port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString())).on('error', () => undefined);
    await new Promise((resolve) => socket.on('close', resolve));
    return text;
  };
  t.equal(await answer(), '');
  await daemon.stop();
  await daemon.start();
  t.equal(await answer(), '');
  t.match(await daemon.ftpctl(['bans']), { code: 0, stdout: /\n127\.0\.0\.0\/8 / });
  t.equal((await daemon.ftpctl(['unban', '127.0.0.1/8'])).code, 0);
  t.equal(await fromLaptop(), 'ok');
  t.match(await daemon.ftpctl(['unban', '127.0.0.1/8']), { code: 1, stderr: /is not banned/ });
});
