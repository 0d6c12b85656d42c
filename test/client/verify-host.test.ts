import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fingerprint, writeKeyFile } from '../../protocol/transport/keys.js';
import { appendHost, lookupHost } from '../../client/known-hosts.js';
import { loadIdentity } from '../../client/identity.js';
import type { Terminal } from '../../client/terminal.js';
import { verifyHost } from '../../client/verify-host.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import { temporaryDirectory } from '../lib/directory.js';

const key = Buffer.alloc(32, 1);
const otherKey = Buffer.alloc(32, 2);

/** A verification of example:1 with the answers of a person; `asked` collects the questions. */
function setUp(t: Tap, options: { acceptNew?: boolean; answers?: string[] } = {}) {
  const knownHosts = join(temporaryDirectory(t), 'known_hosts');
  const asked: string[] = [];
  const { answers } = options;
  const terminal: Terminal | undefined = answers && {
    ask: (question) => {
      asked.push(question);
      return Promise.resolve(answers.shift() ?? 'no');
    },
    askSecret: () => Promise.reject(new Error('no secret is asked')),
    tell: () => undefined,
    close: () => undefined,
  };
  const verification = {
    knownHosts,
    host: 'example',
    port: 1,
    acceptNew: options.acceptNew ?? false,
    terminal: () => terminal,
  };
  return { verification, asked, knownHosts };
}
type Tap = Parameters<typeof temporaryDirectory>[0];

t.test('a person compares the fingerprint, once', async (t) => {
  const { verification, asked, knownHosts } = setUp(t, { answers: ['y', 'yes'] });
  t.equal(await verifyHost(verification, key), 'new');
  t.equal(asked.length, 2, 'y is not yes');
  t.ok(asked[0]?.includes(fingerprint(key)));
  t.equal(lookupHost(knownHosts, 'example', 1, key).status, 'match');
  t.equal(await verifyHost(verification, key), 'known');
  t.equal(asked.length, 2, 'not asked again');
});

t.test('no means no', async (t) => {
  const { verification, knownHosts } = setUp(t, { answers: ['no'] });
  await t.rejects(verifyHost(verification, key), { kind: 'HOSTKEY', message: /not accepted/ });
  t.equal(lookupHost(knownHosts, 'example', 1, key).status, 'unknown');
});

t.test('without a terminal an unknown server is refused, or accepted by option', async (t) => {
  const { verification } = setUp(t);
  await t.rejects(verifyHost(verification, key), { kind: 'HOSTKEY', message: /SHA256:.*--accept-new/ });
  const accepting = setUp(t, { acceptNew: true });
  t.equal(await verifyHost(accepting.verification, key), 'new');
});

t.test('a changed key is refused whatever is answered or opted', async (t) => {
  const { verification, asked, knownHosts } = setUp(t, { acceptNew: true, answers: ['yes'] });
  appendHost(knownHosts, 'example', 1, otherKey);
  const before = readFileSync(knownHosts, 'utf8');
  await t.rejects(verifyHost(verification, key), {
    kind: 'HOSTKEY',
    message: /KEY OF example:1 HAS CHANGED.*SHA256:.*line 1.*ftpctl known-hosts forget example:1/,
  });
  t.equal(asked.length, 0);
  t.equal(readFileSync(knownHosts, 'utf8'), before);
});

t.test('the own key, or one made up', async (t) => {
  const path = join(temporaryDirectory(t), 'key');
  const [first, second] = [loadIdentity(path), loadIdentity(path)];
  t.notSame(first.publicKey, second.publicKey, 'without a file it lives as long as the session');
  const own = generateKeyPair();
  writeKeyFile(path, own);
  t.same(loadIdentity(path).publicKey, own.publicKey);
});
