import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { hostAddress } from '../../protocol/transport/addresses.js';
import { formatPublicKey } from '../../protocol/transport/keys.js';
import { appendHost, forgetHosts, lookupHost, readKnownHosts } from '../../client/known-hosts.js';

const directory = mkdtempSync(join(tmpdir(), 'ftpmount-hosts-'));
t.teardown(() => rmSync(directory, { recursive: true }));

const keyA = Buffer.alloc(32, 0xa);
const keyB = Buffer.alloc(32, 0xb);

let files = 0;
/** A path of its own for one test, with this content if there is any. */
function hostsFile(content?: string): string {
  files += 1;
  const path = join(directory, `known_hosts.${files}`);
  if (content !== undefined) writeFileSync(path, content, { mode: 0o600 });
  return path;
}

t.test('unknown, then pinned, then changed', async (t) => {
  const path = join(directory, 'config/ftpmount/known_hosts');
  t.strictSame(lookupHost(path, 'example.org', 8083, keyA), { status: 'unknown' }, 'no file yet');
  appendHost(path, 'Example.org', 8083, keyA);
  t.equal(statSync(path).mode & 0o7777, 0o600);
  t.equal(readFileSync(path, 'utf8'), `example.org:8083 ${formatPublicKey(keyA)}\n`);
  const entry = { address: 'example.org:8083', publicKey: keyA, line: 1 };
  t.strictSame(lookupHost(path, 'EXAMPLE.org', 8083, keyA), { status: 'match', entry });
  t.strictSame(lookupHost(path, 'example.org', 8083, keyB), { status: 'changed', entries: [entry] });
  t.strictSame(
    lookupHost(path, 'example.org', 8084, keyA),
    { status: 'unknown' },
    'a port is another server',
  );
  t.strictSame(lookupHost(path, 'example.com', 8083, keyA), { status: 'unknown' });
});

t.test('what is forgotten is unknown, and the other lines stay', async (t) => {
  const others = `# mine\n\nexample.org:8084 ${formatPublicKey(keyA)}\n`;
  const path = hostsFile(`example.org:8083 ${formatPublicKey(keyA)}\n${others}`);
  const link = hostsFile();
  symlinkSync(path, link);
  t.strictSame(
    forgetHosts(link, () => false),
    [],
  );
  t.match(
    forgetHosts(link, (address) => address === 'example.org:8083'),
    [{ address: 'example.org:8083', publicKey: keyA }],
  );
  t.equal(readFileSync(path, 'utf8'), others);
  t.equal(statSync(path).mode & 0o7777, 0o600);
  t.strictSame(lookupHost(link, 'example.org', 8083, keyA), { status: 'unknown' });
});

t.test('a host may have several keys, and IPv6 addresses have brackets', async (t) => {
  const path = hostsFile();
  appendHost(path, '::1', 1, keyA);
  appendHost(path, '::1', 1, keyB);
  t.match(readFileSync(path, 'utf8'), /^\[::1\]:1 .*\n\[::1\]:1 .*\n$/);
  t.equal(lookupHost(path, '::1', 1, keyA).status, 'match');
  t.equal(lookupHost(path, '::1', 1, keyB).status, 'match');
  t.match(lookupHost(path, '::1', 1, Buffer.alloc(32)), {
    status: 'changed',
    entries: [{ line: 1 }, { line: 2 }],
  });
});

t.test('what the user wrote stays', async (t) => {
  const content = `# my servers\n\n  a:1\tftpmount-x25519  ${keyA.toString('base64')}  \r\n# no line end here`;
  const path = hostsFile(content);
  appendHost(path, 'b', 2, keyB);
  t.equal(readFileSync(path, 'utf8'), `${content}\nb:2 ${formatPublicKey(keyB)}\n`);
  t.strictSame(readKnownHosts(path), [
    { address: 'a:1', publicKey: keyA, line: 3 },
    { address: 'b:2', publicKey: keyB, line: 5 },
  ]);
});

t.test('a malformed line is reported with file and line, and nothing is looked up past it', async (t) => {
  const good = `a:1 ${formatPublicKey(keyA)}`;
  const base64 = keyA.toString('base64');
  const malformed = [
    'a:1',
    'a:1 ftpmount-x25519',
    `a:1 ${base64}`,
    `a:1 ssh-ed25519 ${base64}`,
    `a ftpmount-x25519 ${base64}`,
    `a:0 ftpmount-x25519 ${base64}`,
    `a:01 ftpmount-x25519 ${base64}`,
    `a:65536 ftpmount-x25519 ${base64}`,
    `A:1 ftpmount-x25519 ${base64}`,
    `::1:1 ftpmount-x25519 ${base64}`,
    `[a]:1 ftpmount-x25519 ${base64}`,
    `a:1 ftpmount-x25519 ${base64.slice(0, -1)}`,
    `a:1 ftpmount-x25519 ${base64.slice(0, 20)}`,
    `${good} comment`,
  ];
  for (const line of malformed) {
    const path = hostsFile(`${good}\n${line}\n`);
    t.throws(
      () => lookupHost(path, 'a', 1, keyA),
      { name: 'Failure', kind: 'HOSTKEY', message: `${path}:2: ` },
      line,
    );
  }
});

t.test('files that cannot be trusted or read are refused', async (t) => {
  const path = hostsFile('');
  for (const mode of [0o620, 0o602]) {
    chmodSync(path, mode);
    t.throws(() => readKnownHosts(path), { name: 'Failure', kind: 'EACCES', message: /chmod go-w/ });
  }
  chmodSync(path, 0o644);
  t.strictSame(readKnownHosts(path), []);
  const dir = hostsFile();
  mkdirSync(dir);
  t.throws(() => readKnownHosts(dir), { name: 'Failure', kind: 'EACCES', message: /regular file/ });
  t.throws(() => appendHost(dir, 'a', 1, keyA), { name: 'Failure', kind: 'EISDIR' });
  t.throws(() => readKnownHosts(hostsFile('#'.repeat(1024 * 1024 + 1))), { name: 'Failure', kind: 'EFBIG' });
});

t.test('names that would break the file are refused', async (t) => {
  for (const host of ['', 'a b', 'a\nb:1', '#a', '[::1]', 'a\0']) {
    t.throws(() => hostAddress(host, 1), { name: 'Failure', kind: 'USAGE' });
  }
  for (const port of [0, 65_536, 1.5, Number.NaN])
    t.throws(() => hostAddress('a', port), { name: 'Failure', kind: 'USAGE' });
});

t.test('clients that add at the same time lose nothing', async (t) => {
  const path = hostsFile();
  const module = new URL('../../client/known-hosts.js', import.meta.url).href;
  const program = `const { appendHost } = await import(${JSON.stringify(module)});
    for (let port = 1; port <= 50; port += 1) {
      appendHost(${JSON.stringify(path)}, process.argv[1], port, Buffer.alloc(32, port));
    }`;
  const run = promisify(execFile);
  const hosts = ['one', 'two', 'three'];
  await Promise.all(hosts.map((host) => run(process.execPath, ['--input-type=module', '-e', program, host])));
  const addresses = new Set(readKnownHosts(path).map((entry) => entry.address));
  t.equal(addresses.size, 150);
});
