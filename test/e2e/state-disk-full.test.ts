/*
 * The disk of the server's state is full, to the last byte: accounts, ledger, upload records and logs cannot be written.
 * The daemon keeps serving, whoever changes an account is told why it failed, and all is well when there is room again.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { formatPublicKey } from '../../protocol/transport/keys.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import { Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { runProgram } from '../lib/programs.js';
import { run, succeed } from '../lib/run.js';
import type { Scope } from '../lib/scope.js';

if (process.geteuid?.() !== 0) t.plan(0, 'only root can make a small disk');
else test();

/** A small disk, and what takes the rest of it and gives it back. */
async function smallDisk(
  t: Scope,
  size: string,
): Promise<{ disk: string; fill: () => Promise<void>; free: () => void }> {
  const disk = temporaryDirectory(t);
  await succeed('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'small', disk]);
  t.teardown(() => run('umount', ['-l', disk]));
  const filling = path.join(disk, 'filling');
  return {
    disk,
    // dd has to fail: only then there is no byte left.
    fill: () =>
      succeed('sh', ['-c', '! dd if=/dev/zero of="$1" bs=512', 'sh', filling]).then(() => undefined),
    free: () => rmSync(filling),
  };
}

function test(): void {
  t.test('state and homes on one full disk', async (t) => {
    const { disk, fill, free } = await smallDisk(t, '16M');
    const daemon = new Daemon(t, { directory: disk });
    await daemon.addUser('alice', { quota: '1G' });
    await daemon.start();
    const source = path.join(temporaryDirectory(t), 'source');
    await succeed('sh', ['-c', 'head -c 3M /dev/urandom > "$1"', 'sh', source]);
    const put = (name: string) =>
      daemon.ftpctl(['put', source, daemon.at('alice', name), ...daemon.login('alice')]);
    t.match(await put('first'), { code: 0 });
    await fill();
    for (const attempt of [1, 2, 3])
      t.match(await put('second'), { code: 7, stderr: /no space left/i }, `told ENOSPC, attempt ${attempt}`);
    t.match(await daemon.ftpctl(['ls', daemon.at('alice'), ...daemon.login('alice')]), {
      code: 0,
      stdout: 'first\n',
    });
    const removed = await daemon.ftpctl(['rm', daemon.at('alice', 'first'), ...daemon.login('alice')]);
    t.match(removed, { code: 0 }, 'who makes room can');
    t.equal(daemon.service.ended, false, 'the daemon goes on');
    free();
    t.match(await put('second'), { code: 0 });
    t.match(await daemon.ftpctl(['quota', 'check']), { code: 0, stdout: /right$/m });
    t.match(await daemon.stop(), { code: 0 });
    t.match(readFileSync(path.join(daemon.state, 'user.log'), 'utf8'), /"path":"second".*"msg":"upload"/);
  });

  t.test('a state that cannot grow, from the first account on', async (t) => {
    const { disk, fill, free } = await smallDisk(t, '4M');
    const directory = temporaryDirectory(t);
    const state = path.join(disk, 'state');
    mkdirSync(state, { mode: 0o700 });
    const daemon = new Daemon(t, { directory, args: ['--state', state] });
    const ftpctl = (args: readonly string[], input = '') =>
      daemon.ftpctl(args, { input, env: { ...daemon.env, FTPMOUNT_STATE: state } });
    const useradd = (name: string) =>
      ftpctl(['useradd', name, '--quota', '1G', '--password-file', '-'], `${name}'s password\n`);
    t.match(await useradd('alice'), { code: 0 });
    await daemon.start();
    await fill();
    t.match(await ftpctl(['usermod', 'alice', '--max-files', '9']), { code: 0 }, 'there is room ahead');
    // Somebody else takes that, too.
    const database = path.join(state, 'state.lmdb');
    truncateSync(database, statSync(database).size);
    free();
    await fill();
    const key = ['key', 'add', 'alice', formatPublicKey(generateKeyPair().publicKey)];
    const changes = [['usermod', 'alice', '--max-files', '8'], key, ['passwd', 'alice', '--no-password']];
    // Each of them aborted the process in one of eight writes.
    for (const change of [...changes, ...changes, ...changes]) {
      t.match(await ftpctl(change), {
        code: 7,
        stderr: /^ftpctl: the disk of the server's state is full: make room.*\n$/,
      });
    }
    t.match(await useradd('lily'), { code: 7, stderr: /state is full: make room.*\n$/ });
    t.match(await ftpctl(['users']), { code: 0, stdout: /alice/ });
    const source = path.join(directory, 'source');
    // Long enough for a checkpoint, whose record cannot be written.
    await succeed('sh', ['-c', 'head -c 20M /dev/urandom > "$1"', 'sh', source]);
    const put = await ftpctl(['put', source, daemon.at('alice', 'copy'), ...daemon.login('alice')]);
    t.match(put, { code: 0 }, put.stderr);
    await succeed('cmp', [source, path.join(daemon.home('alice'), 'copy')]);
    t.notMatch(daemon.service.output, /worker was lost/, 'no thread ended');
    free();
    t.match(await useradd('lily'), { code: 0 });
    t.match(await ftpctl(['quota', 'check']), { code: 0, stdout: /^alice: .*right$/m });
    t.match(await daemon.stop(), { code: 0 });
  });

  t.test('a daemon that has no room for its state does not start, and says why', async (t) => {
    const { disk } = await smallDisk(t, '40k');
    const state = path.join(disk, 'state');
    const args = ['--listen', '127.0.0.1:0', '--state', state, '--home', temporaryDirectory(t)];
    const started = await runProgram('ftpmountd', args);
    t.match(started, {
      code: 7,
      stdout: '',
      stderr: /ftpmountd: the disk of the server's state is full: make room.*\n$/,
    });
    t.notOk(existsSync(path.join(state, 'control.sock')));
  });
}
