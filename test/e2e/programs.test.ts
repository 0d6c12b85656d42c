/* What programs do with files on a mounted home: a database, an editor that saves by rename, very large files. */
import { spawnSync } from 'node:child_process';
import { closeSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { handleOf, openByHandle, type Handle } from '../lib/file-handles.js';
import { mountHome, type Mounted } from '../lib/mounted.js';
import { succeed } from '../lib/run.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '8G' }, bob: { quota: '1G' } } });
const mounted = await mountHome(t, daemon, 'alice');

t.test('sqlite writes, rolls back and finds its database whole', async (t) => {
  const sql = (text: string): Promise<string> => mounted.succeed('sqlite3', ['data.db', text]);
  await sql('create table entry (id integer primary key, text text); create index by_text on entry (text)');
  const numbers = 'with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)';
  await sql(`begin; insert into entry ${numbers} select i, 'entry ' || i from n; commit`);
  await sql('begin; delete from entry; rollback');
  for (let i = 0; i < 10; i++) await sql(`update entry set text = text || '.' where id % 10 = ${i}`);
  t.equal(await sql('pragma integrity_check'), 'ok\n');
  t.equal(await sql('select count(*), sum(length(text)) from entry'), '5000|53893\n');
  await sql('vacuum');
  t.equal(await sql('pragma integrity_check'), 'ok\n');
});

t.test('two processes that write one database wait for each other', async (t) => {
  await mounted.succeed('sqlite3', ['shared.db', 'create table n (i)']);
  const writer =
    'for i in $(seq 15); do sqlite3 -cmd ".timeout 10000" shared.db "insert into n values ($i)" || exit 1; done';
  await Promise.all([1, 2].map(() => mounted.succeed('sh', ['-c', writer])));
  t.equal(await mounted.succeed('sqlite3', ['shared.db', 'select count(*) from n']), '30\n');
});

t.test('an editor saves by writing beside and renaming over', async (t) => {
  // As vi does: a backup, the new text, the rename, the backup removed, each synced.
  const save = (text: string): Promise<string> =>
    mounted.succeed('sh', [
      '-c',
      `cp -p note note~ && printf '%s' "$1" > .note.swp && sync .note.swp && chmod --reference=note .note.swp &&
       mv .note.swp note && rm note~`,
      'sh',
      text,
    ]);
  await mounted.succeed('sh', ['-c', 'echo first > note && chmod 640 note']);
  for (const text of ['second', '', 'a third text that is longer than the others']) {
    await save(text);
    t.equal(await mounted.succeed('cat', ['note']), text);
    t.equal(readFileSync(`${daemon.home('alice')}/note`, 'utf8'), text);
  }
  t.equal(await mounted.succeed('stat', ['-c', '%a', 'note']), '640\n');
  t.same(
    (await mounted.succeed('ls', ['-A'])).split('\n').filter((name) => /note/.test(name)),
    ['note'],
  );
});

t.test('a sparse file of 5 GiB: what is beyond 4 GiB is where it belongs', async (t) => {
  await mounted.succeed('truncate', ['-s', '5G', 'huge']);
  await mounted.succeed('sh', [
    '-c',
    `printf start | dd of=huge conv=notrunc status=none
     printf beyond | dd of=huge conv=notrunc bs=1 seek=$((4 * 1024 * 1024 * 1024 + 7)) status=none
     printf end | dd of=huge conv=notrunc bs=1 seek=$((5 * 1024 * 1024 * 1024 - 3)) status=none`,
  ]);
  const size = 5 * 1024 ** 3;
  t.equal(Number(await mounted.succeed('stat', ['-c', '%s', 'huge'])), size);
  t.equal(await mounted.succeed('head', ['-c', '5', 'huge']), 'start');
  t.equal(await mounted.succeed('tail', ['-c', '3', 'huge']), 'end');
  t.equal(
    await mounted.succeed('dd', ['if=huge', 'bs=1', `skip=${4 * 1024 ** 3 + 7}`, 'count=6', 'status=none']),
    'beyond',
  );
  t.match(statSync(`${daemon.home('alice')}/huge`), { size });
  t.ok(statSync(`${daemon.home('alice')}/huge`).blocks * 512 < 1024 ** 2, 'the server has it sparse');
});

t.test('names of any bytes, through shell tools', async (t) => {
  const names = ['with space', 'new\nline', '*', '-f', '\u00e4', String.raw`back\slash`].map((name) =>
    Buffer.from(name),
  );
  names.push(Buffer.from([0xff, 0xfe, 0x41]));
  const list = Buffer.concat(names.map((name) => Buffer.concat([name, Buffer.from([0])])));
  await mounted.succeed('sh', ['-c', 'mkdir odd && cd odd && xargs -0 touch --'], { input: list });
  const found = await mounted.run('sh', [
    '-c',
    'cd odd && find . -type f -printf "%P\\0" | LC_ALL=C sort -z',
  ]);
  t.same(
    found.bytes.toString('latin1').split('\0').filter(Boolean),
    names.map((name) => name.toString('latin1')).toSorted(),
  );
  await mounted.succeed('rm', ['-rf', 'odd']);
});

t.test(
  'file handles lead to what the kernel has forgotten',
  { skip: process.geteuid?.() !== 0 },
  async (t) => {
    await mounted.succeed('sh', ['-c', 'mkdir -p dir/sub; echo here > dir/sub/file; echo gone > removed']);
    const [file, directory, removed] = ['dir/sub/file', 'dir/sub', 'removed'].map((name) =>
      handleOf(mounted.path(name)),
    ) as [Handle, Handle, Handle];
    await mounted.succeed('mv', ['dir/sub/file', 'dir/sub/renamed']);
    await mounted.succeed('rm', ['removed']);
    await mounted.synced();
    await succeed('sh', ['-c', 'echo 2 > /proc/sys/vm/drop_caches']);
    const opened = openByHandle(mounted.mountpoint, file);
    t.equal(readFileSync(opened, 'latin1'), 'here\n');
    closeSync(opened);
    const listed = openByHandle(mounted.mountpoint, directory);
    t.same(readdirSync(`/proc/self/fd/${listed}`), ['renamed']);
    t.equal(readlinkSync(`/proc/self/fd/${listed}`), mounted.path('dir/sub'), 'the kernel knows where it is');
    closeSync(listed);
    t.throws(() => openByHandle(mounted.mountpoint, removed), { code: 'ESTALE' });
  },
);

t.test('reading moves atime where that is asked for, and nothing else', async (t) => {
  const times = (file: string) => {
    const { atimeNs, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return { atimeNs, changed: [mtimeNs, ctimeNs] };
  };
  /** Reads, and tells whether atime moved. */
  const reads = async (bob: Mounted, file: string, command: string): Promise<boolean> => {
    const before = times(file);
    await bob.succeed('sh', ['-c', command]);
    const { atimeNs, changed } = times(file);
    t.same(changed, before.changed, command);
    t.ok(atimeNs >= before.atimeNs);
    return atimeNs > before.atimeNs;
  };
  const relatime = await mountHome(t, daemon, 'bob', { args: ['-o', 'relatime'] });
  const made = relatime.path('dir/file');
  await relatime.succeed('sh', ['-c', 'mkdir dir; echo text > dir/file']);
  t.ok(await reads(relatime, made, 'cat dir/file'));
  t.notOk(await reads(relatime, made, 'cat dir/file'), 'once after a change');
  t.ok(await reads(relatime, relatime.path('dir'), 'ls dir'));
  t.notOk(await reads(relatime, relatime.path('dir'), 'ls dir'));
  await relatime.synced();
  const before = times(made);
  t.equal(statSync(`${daemon.home('bob')}/dir/file`, { bigint: true }).atimeNs, before.atimeNs);
  await relatime.unmount();

  const strictatime = await mountHome(t, daemon, 'bob', { args: ['-o', 'strictatime,nodiratime'] });
  const file = strictatime.path('dir/file');
  t.same(times(file), before, 'the server keeps all three');
  for (let turn = 0; turn < 2; turn++) t.ok(await reads(strictatime, file, 'cat dir/file'), 'each time');
  t.notOk(await reads(strictatime, file, 'dd if=dir/file iflag=noatime status=none'));
  t.notOk(await reads(strictatime, strictatime.path('dir'), 'touch dir/file; ls dir'));
});

/** Tests of file systems that Debian has, in a short form: left out where they are not installed. */
const SUITES: Readonly<Record<string, readonly string[]>> = {
  fio: [
    ...['--minimal', '--size=2m', '--bs=4k', '--rw=randwrite', '--verify=crc32c', '--verify_fatal=1'],
    ...['--name=buffered', '--ioengine=psync'],
    ...['--name=direct', '--ioengine=libaio', '--direct=1', '--iodepth=8'],
    ...['--name=mapped', '--ioengine=mmap'],
  ],
  dbench: ['-t', '1', '2'],
  'stress-ng': [
    ...['--temp-path', '.', '--verify', '--timeout', '1', '--dentry', '1', '--dentries', '256'],
    ...['--fallocate', '1', '--fallocate-bytes', '4M', '--seek', '1', '--seek-size', '4M'],
    ...['rename', 'chmod', 'utime', 'xattr', 'flock', 'lockf'].flatMap((each) => [`--${each}`, '1']),
  ],
};

for (const [program, args] of Object.entries(SUITES)) {
  const installed = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;
  t.test(`${program} finds nothing`, { skip: installed ? false : 'not installed' }, async (t) => {
    await mounted.succeed('mkdir', [program]);
    await mounted.succeed(program, args, { cwd: mounted.path(program), timeoutMs: 60_000 });
    await mounted.synced();
    await mounted.succeed('rm', ['-r', program]);
    t.notMatch(mounted.service.output, /"level":"error"/, 'nothing that was answered is lost');
  });
}
