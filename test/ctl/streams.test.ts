/* put from standard input and get to standard output, between a real ftpctl and a real daemon. */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startProxy } from '../../bench/proxy.js';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { run, succeed } from '../lib/run.js';
import { Service } from '../lib/service.js';

t.setTimeout(90_000);

const MiB = 1024 * 1024;
const daemon = await startDaemon(t, { users: { alice: { quota: '200M' }, lily: { quota: '1M' } } });
const proxy = await startProxy(t, daemon.port);
const login = daemon.login('alice');
const far = login.toSpliced(1, 1, String(proxy.port));
const home = daemon.home('alice');
const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

const put = (input: Buffer, to: string, ...options: string[]) =>
  daemon.ftpctl(['put', ...options, ...login, '-', daemon.at('alice', to)], { input });
const get = (from: string, ...options: string[]) =>
  daemon.ftpctl(['get', ...options, ...login, daemon.at('alice', from), '-']);

/** The bytes of partial files of a home. */
function partialBytes(user: string): number {
  const directory = join(daemon.home(user), '.ftpmount');
  const names = fs.existsSync(directory) ? fs.readdirSync(directory) : [];
  return names.reduce((sum, name) => sum + fs.statSync(join(directory, name)).size, 0);
}

/** ftpctl in a pipe of a shell, `"$@"` is its command line. */
const piped = (t: Test, script: string, ...args: string[]): Service =>
  new Service(t, 'bash', ['-c', script, 'bash', process.execPath, programs.ftpctl, ...args], {
    env: daemon.env,
  });

async function until(condition: () => boolean, service: Service): Promise<void> {
  while (!condition()) {
    if (service.ended) throw new Error(`it ended before that:\n${service.output}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

t.test(
  'what is put is what came, under its name when it has ended, with the mode of what was there',
  async (t) => {
    const content = randomBytes(20 * MiB + 3);
    const result = await put(content, 'stream');
    t.match(result, { code: 0, stdout: `MD5 (-) = ${md5(content)}\n`, stderr: /^-: 20971523 bytes/m });
    t.ok(fs.readFileSync(join(home, 'stream')).equals(content));
    fs.chmodSync(join(home, 'stream'), 0o600);
    t.match(await put(Buffer.from('less'), 'stream', '--json'), {
      code: 0,
      stdout: /^\{"path":"-","bytes":4,/,
      stderr: '',
    });
    t.equal(fs.readFileSync(join(home, 'stream'), 'utf8'), 'less');
    t.equal(fs.statSync(join(home, 'stream')).mode & 0o7777, 0o600);
    t.equal((await put(Buffer.alloc(0), 'empty')).code, 0);
    t.equal(fs.statSync(join(home, 'empty')).size, 0);
    t.equal(partialBytes('alice'), 0);
    t.match(await daemon.ftpctl(['quota', 'check', 'alice']), { code: 0, stdout: /: right$/m });
  },
);

t.test('what is got is on standard output alone, and is verified', async (t) => {
  const content = randomBytes(3 * MiB + 7);
  fs.writeFileSync(join(home, 'file'), content);
  const result = await get('file', '-v');
  t.equal(result.code, 0, result.stderr);
  t.ok(result.bytes.equals(content));
  t.match(result.stderr, `MD5 (file) = ${md5(content)}\n`);
  t.match(await get('empty', '--json'), { code: 0, stdout: '', stderr: /^\{"path":"empty","bytes":0,/ });
  t.match(await get('none'), { code: 1, stdout: '', stderr: /^ftpctl: none: / });
  fs.mkdirSync(join(home, 'dir'));
  t.match(await get('dir', '-r'), { code: 1, stdout: '', stderr: /^ftpctl: dir: .*directory/ });
});

t.test('a tree travels by tar', async (t) => {
  const local = temporaryDirectory(t);
  fs.mkdirSync(join(local, 'to'));
  fs.writeFileSync(join(local, 'name'), 'content');
  const there = piped(t, `tar -C ${local} -c name | "$@"`, 'put', ...login, '-', daemon.at('alice', 'x.tar'));
  t.equal((await there.exited).code, 0, there.output);
  const back = piped(t, `"$@" | tar -C ${local}/to -x`, 'get', ...login, daemon.at('alice', 'x.tar'), '-');
  t.equal((await back.exited).code, 0, back.output);
  t.equal(fs.readFileSync(join(local, 'to/name'), 'utf8'), 'content');
});

t.test('standard input may be a file or a device, and no directory', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'image');
  const content = randomBytes(MiB);
  fs.writeFileSync(file, content);
  const putFrom = async (source: string) => {
    const putting = piped(t, `"$@" < ${source}`, 'put', ...login, '-', daemon.at('alice', 'image'));
    return { ...(await putting.exited), output: putting.output };
  };
  t.match(await putFrom(file), { code: 0, output: md5(content) });
  if (process.geteuid?.() === 0) {
    const device = (await succeed('losetup', ['--find', '--show', file])).trim();
    t.teardown(() => run('losetup', ['--detach', device]));
    t.match(await putFrom(device), { code: 0, output: md5(content) }, 'it was empty, with success');
  }
  t.match(await putFrom(directory), { code: 1, output: 'standard input is a directory' });
  t.ok(fs.readFileSync(join(home, 'image')).equals(content));
});

t.test('what has no meaning is refused', async (t) => {
  const usage = async (args: string[], stderr: RegExp) =>
    t.match(await daemon.ftpctl([...args.slice(0, 1), ...login, ...args.slice(1)]), { code: 2, stderr });
  await usage(['put', '-', 'other', daemon.at('alice', 'dir')], /by itself only/);
  await usage(['put', '--password-file', '-', '-', daemon.at('alice', 'x')], /by itself only/);
  await usage(['get', daemon.at('alice', 'a'), daemon.at('alice', 'b'), '-'], /one file only/);
  const nameless = /is a directory: write what the file is to be called/;
  for (const to of ['', 'dir', 'new/']) {
    t.match(await put(Buffer.from('x'), to), { code: 1, stderr: nameless });
  }
  for (const line of ['put - x', 'get file -']) {
    const shell = await daemon.ftpctl(['shell', ...login, daemon.at('alice')], { input: `${line}\n` });
    t.match(shell, { code: 2, stdout: '', stderr: /'\.\/-' is a local file/ });
  }
});

t.test('where the quota is full nothing is left', async (t) => {
  const args = ['put', ...daemon.login('lily'), '-', daemon.at('lily', 'x')];
  const service = piped(t, 'cat /dev/zero | "$@"', ...args);
  t.equal((await service.exited).code, 7, 'also while there is more to come');
  t.match(service.output, /^ftpctl: .*quota/m);
  t.equal(partialBytes('lily'), 0);
  t.match(await daemon.ftpctl(['quota', 'check', 'lily']), {
    code: 0,
    stdout: /^lily: charged 0 bytes, 0 files: right$/m,
  });
});

t.test('Ctrl-C while nothing comes ends it at once, says that nothing is kept, and nothing is', async (t) => {
  const args = ['put', ...login, '-', daemon.at('alice', 'broken')];
  const { execPath } = process;
  const service = new Service(t, execPath, [programs.ftpctl, ...args], { env: daemon.env, listens: true });
  service.say('x'.repeat(2 * MiB - 1));
  await until(() => partialBytes('alice') === 2 * MiB, service);
  service.signal('SIGINT');
  t.equal((await service.exited).code, 130);
  t.match(service.output, /^ftpctl: interrupted: standard input cannot be read again, and nothing .* kept/m);
  t.equal(partialBytes('alice'), 0);
  t.notOk(fs.existsSync(join(home, 'broken')));
});

t.test('a put whose line breaks is lost, and the same again is begun anew', async (t) => {
  const args = ['put', ...far, '-', daemon.at('alice', 'cut')];
  await proxy.delay(200);
  const service = piped(t, 'cat /dev/zero | "$@"', ...args);
  await until(() => partialBytes('alice') > MiB, service);
  await proxy.delay(0);
  await proxy.cut();
  t.equal((await service.exited).code, 3);
  t.match(service.output, /standard input cannot be read again/);
  t.notOk(fs.existsSync(join(home, 'cut')));
  while (partialBytes('alice') > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  t.equal((await put(Buffer.from('anew'), 'cut')).code, 0);
  t.equal(partialBytes('alice'), 0);
});

t.test('a get goes on where the line broke, and says where it could not', async (t) => {
  const content = randomBytes(40 * MiB);
  const local = temporaryDirectory(t);
  fs.writeFileSync(join(home, 'large'), content);
  const broken = async (...options: string[]) => {
    const out = join(local, 'out');
    fs.rmSync(out, { force: true });
    await proxy.delay(200);
    const args = ['get', ...options, ...far, daemon.at('alice', 'large'), '-'];
    const service = piped(t, `"$@" > ${out}`, ...args);
    await until(() => (fs.statSync(out, { throwIfNoEntry: false })?.size ?? 0) > 17 * MiB, service);
    await proxy.delay(0);
    await proxy.cut();
    return { service, out, code: (await service.exited).code };
  };
  const mended = await broken();
  t.equal(mended.code, 0, mended.service.output);
  t.match(mended.service.output, /connecting again/);
  t.match(mended.service.output, `MD5 (large) = ${md5(content)}`);
  t.ok(fs.readFileSync(mended.out).equals(content));
  const { code, service } = await broken('--retry', '0');
  t.equal(code, 3);
  t.match(service.output, /what was written is not the whole file/);
});

t.test('files whose size is not what they hold', async (t) => {
  const to = daemon.at('alice');
  for (const source of ['/proc/kallsyms', '/sys/kernel/uevent_seqnum']) {
    const refused = await daemon.ftpctl(['put', ...login, source, to]);
    t.match(refused, { code: 1, stdout: '', stderr: /does not tell its size: put it as standard input/ });
  }
  const through = piped(t, '"$@" < /proc/kallsyms', 'put', ...login, '-', daemon.at('alice', 'symbols'));
  t.equal((await through.exited).code, 0, through.output);
  t.equal(fs.statSync(join(home, 'symbols')).size, fs.readFileSync('/proc/kallsyms').length);
  const fifo = join(temporaryDirectory(t), 'fifo');
  await run('mkfifo', [fifo]);
  t.match(await daemon.ftpctl(['put', ...login, fifo, to]), {
    code: 1,
    stdout: '',
    stderr: /neither a file/,
  });
  t.strictSame(
    ['kallsyms', 'uevent_seqnum', 'fifo'].filter((name) => fs.existsSync(join(home, name))),
    [],
  );
});
