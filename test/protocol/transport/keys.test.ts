import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t from 'tap';
import { fingerprint, formatPublicKey, parsePublicKey } from '../../../protocol/transport/keys.js';
import { readKeyFile, writeKeyFile } from '../../../protocol/transport/keys.js';
import { exportPrivateKey, generateKeyPair } from '../../../protocol/transport/x25519.js';

const directory = mkdtempSync(join(tmpdir(), 'ftpmount-keys-'));
t.teardown(() => rmSync(directory, { recursive: true }));

const pair = generateKeyPair();

/** A key file of its own for one test. */
function keyFile(name: string, comment?: string): string {
  const path = join(directory, name);
  writeKeyFile(path, pair, comment);
  return path;
}

t.test('a key file comes back as it was written, private from the start', async (t) => {
  const path = keyFile('new/below/key', 'alice at home');
  const old = process.umask(0o277);
  t.teardown(() => process.umask(old));
  t.equal(statSync(keyFile('umask')).mode & 0o7777, 0o600, 'whatever the umask');
  t.equal(statSync(path).mode & 0o7777, 0o600);
  t.equal(statSync(join(directory, 'new')).mode & 0o077, 0);
  process.umask(old);
  const read = readKeyFile(path);
  t.ok(read.privateKey.equals(pair.privateKey));
  t.strictSame(read.publicKey, pair.publicKey);
  t.equal(read.comment, 'alice at home');
  t.match(
    readFileSync(path, 'utf8'),
    /^ftpmount-x25519-private [A-Za-z0-9+/]{43}= alice at home\n$/,
    'one line of text',
  );
  t.equal(readKeyFile(keyFile('bare')).comment, '');
});

t.test('a key is never overwritten', async (t) => {
  const path = keyFile('kept');
  const before = readFileSync(path);
  t.throws(() => writeKeyFile(path, generateKeyPair()), { name: 'Failure', kind: 'EEXIST' });
  t.strictSame(readFileSync(path), before);
  const dangling = join(directory, 'dangling');
  symlinkSync(join(directory, 'elsewhere'), dangling);
  t.throws(
    () => writeKeyFile(dangling, pair),
    { name: 'Failure', kind: 'EEXIST' },
    'nor is a symlink followed',
  );
});

t.test('a key file that is not private is refused', async (t) => {
  const path = keyFile('open');
  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o700, 0o4600]) {
    chmodSync(path, mode);
    t.throws(
      () => readKeyFile(path),
      { name: 'Failure', kind: 'EACCES', message: /must be 0600/ },
      mode.toString(8),
    );
  }
  chmodSync(path, 0o400);
  t.ok(readKeyFile(path));

  mkdirSync(join(directory, 'dir'));
  t.throws(() => readKeyFile(join(directory, 'dir')), {
    name: 'Failure',
    kind: 'EACCES',
    message: /regular file/,
  });
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', ['-m', '600', fifo]);
  t.throws(
    () => readKeyFile(fifo),
    { name: 'Failure', kind: 'EACCES', message: /regular file/ },
    'and a fifo is not waited for',
  );
  t.throws(() => readKeyFile(join(directory, 'missing')), {
    name: 'Failure',
    kind: 'ENOENT',
    message: /missing/,
  });
});

t.test('a key file of another user is refused', async (t) => {
  // Only root can give a file away; everybody else has root's to try.
  let path = '/etc/passwd';
  if (process.geteuid?.() === 0) {
    path = keyFile('theirs');
    chownSync(path, 12_345, 12_345);
  }
  t.throws(() => readKeyFile(path), { name: 'Failure', kind: 'EACCES', message: /another user/ });
});

t.test('a file that holds no key is refused, by name', async (t) => {
  const good = readFileSync(keyFile('good'), 'utf8').trim();
  const [type, base64 = ''] = good.split(' ');
  const contents: Record<string, string> = {
    empty: '',
    'the type only': `${type}`,
    'a public key': formatPublicKey(pair.publicKey),
    'cut off': good.slice(0, -1),
    'without padding': good.replace(/=$/, ''),
    'base64url characters': `${type} ${'-'.repeat(43)}=`,
    'base64 that is not canonical': `${type} ${base64.slice(0, 42)}B=`,
    'a byte too many': `${type} ${Buffer.alloc(33).toString('base64')}`,
    'a byte too few': `${type} ${Buffer.alloc(31).toString('base64')}`,
    'two lines': `${good} a\n${good} b`,
    'a control character': `${good} \u001b[2J`,
    'too long': `${good} ${'x'.repeat(2000)}`,
    'a long comment': `${good} ${'é'.repeat(128)}`,
  };
  const path = join(directory, 'bad');
  for (const [name, content] of Object.entries(contents)) {
    writeFileSync(path, content, { mode: 0o600 });
    t.throws(() => readKeyFile(path), { name: 'Failure', kind: 'USAGE', message: path }, name);
  }
});

t.test('the message about a broken key file does not show the key', async (t) => {
  const path = keyFile('broken');
  const content = readFileSync(path, 'utf8');
  writeFileSync(path, content.replace('=', ''));
  const secret = exportPrivateKey(pair).toString('base64').slice(0, 20);
  t.ok(content.includes(secret));
  try {
    readKeyFile(path);
    t.fail('it was read');
  } catch (error) {
    t.notOk(inspect(error).includes(secret));
  }
});

t.test('public keys as text', async (t) => {
  const text = formatPublicKey(pair.publicKey, 'alice@laptop, the old one');
  t.match(text, /^ftpmount-x25519 [A-Za-z0-9+/]{43}= alice@laptop, the old one$/);
  t.strictSame(parsePublicKey(`  ${text}\n`), {
    publicKey: Buffer.from(pair.publicKey),
    comment: 'alice@laptop, the old one',
  });
  t.equal(parsePublicKey(formatPublicKey(pair.publicKey)).comment, '');
  t.equal(parsePublicKey(formatPublicKey(pair.publicKey, 'Zoë')).comment, 'Zoë');

  for (const comment of ['two\nlines', '\u0007', ' padded', 'x'.repeat(256), 'a\u2028b']) {
    t.throws(() => formatPublicKey(pair.publicKey, comment), { name: 'Failure', kind: 'USAGE' });
  }
  for (const wrong of ['', 'ssh-ed25519 AAAA', text.slice(0, 40), text.replace('x25519', 'x448')]) {
    t.throws(() => parsePublicKey(wrong), { name: 'Failure', kind: 'USAGE' });
  }
});

t.test('the fingerprint is the one of sha256sum', async (t) => {
  // printf '\0%.0s' {1..32} | openssl dgst -sha256 -binary | base64
  t.equal(fingerprint(Buffer.alloc(32)), 'SHA256:Zmh6rfhivXdsj8GLjp+OIAiXFIVu4jOzkCpZHQ1fKSU');
});
