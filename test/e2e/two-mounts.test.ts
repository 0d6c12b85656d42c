/*
 * Two mounts of one home: whatever one's call changed before it returned, the other's next call sees. Nothing here waits
 * for anything in between.
 */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
const one = await mountHome(t, daemon, 'alice');
const two = await mountHome(t, daemon, 'alice');

t.test('names, content, sizes and modes, one way and the other', async (t) => {
  for (const [here, there] of [
    [one, two],
    [two, one],
  ] as const) {
    const sees = (command: string): Promise<string> => there.succeed('sh', ['-c', command]);
    // The other side has looked and has cached that it is not there, or how it was.
    t.not((await there.run('cat', ['file'])).code, 0);
    t.equal(await sees('ls'), '');
    await here.succeed('sh', ['-c', 'echo first > file']);
    t.equal(await sees('cat file; ls'), 'first\nfile\n');
    await here.succeed('sh', ['-c', 'echo the second and longer one > file']);
    t.equal(await sees('cat file'), 'the second and longer one\n');
    await here.succeed('sh', ['-c', 'echo appended >> file; chmod 600 file']);
    t.equal(await sees('stat -c "%s %a" file'), '35 600\n');
    await here.succeed('truncate', ['-s', '3', 'file']);
    t.equal(await sees('cat file'), 'the');
    await here.succeed('mv', ['file', 'renamed']);
    t.equal(await sees('ls; ! cat file 2>/dev/null'), 'renamed\n');
    await here.succeed('ln', ['renamed', 'second']);
    t.equal(await sees('stat -c %h renamed second'), '2\n2\n');
    await here.succeed('ln', ['-sf', 'renamed', 'link']);
    t.equal(await sees('readlink link'), 'renamed\n');
    await here.succeed('rm', ['renamed', 'second', 'link']);
    t.equal(await sees('ls'), '');
  }
});

t.test('set-id bits of files, which the server does not keep, are seen by no mount', async (t) => {
  for (const [here, there] of [
    [one, two],
    [two, one],
  ] as const) {
    const shown = 'stat -c "%n %a" d/*';
    const modes = 'd/dir 3751\nd/file 1751\nd/pipe 1751\n';
    const make = 'mkdir -p d/dir; touch d/file; mkfifo d/pipe; chmod 7751 d/*';
    t.equal(await here.succeed('sh', ['-c', `${make}; ${shown}`]), modes);
    t.equal(await there.succeed('sh', ['-c', `${shown}; rm -r d`]), modes);
  }
});

t.test('room that is made, and holes', async (t) => {
  for (const [here, there] of [
    [one, two],
    [two, one],
  ] as const) {
    const sees = (command: string): Promise<string> => there.succeed('sh', ['-c', command]);
    await here.succeed('sh', ['-c', 'printf 0123456789 > file']);
    t.equal(await sees('cat file'), '0123456789');
    await here.succeed('fallocate', ['-p', '-o', '2', '-l', '3', 'file']);
    t.equal(await sees('tr "\\0" . < file'), '01...56789');
    await here.succeed('fallocate', ['-l', '15', 'file']);
    t.equal(await sees('tr "\\0" . < file'), '01...56789.....');
    t.equal(await here.succeed('sh', ['-c', 'stat -c %s file; tr "\\0" . < file']), '15\n01...56789.....');
    await here.succeed('cp', ['--sparse=never', 'file', 'copy']);
    t.equal(await sees('tr "\\0" . < copy'), '01...56789.....');
    await sees('printf changed > file; tr "\\0" . < copy');
    await here.succeed('cp', ['file', 'copy']);
    t.equal(await sees('cat copy'), 'changed');
    await here.succeed('rm', ['file', 'copy']);
  }
});

t.test('fifty rounds of a counter, turn by turn', async (t) => {
  await one.succeed('sh', ['-c', 'echo 0 > counter']);
  for (let round = 0; round < 50; round++) {
    const mount = round % 2 === 0 ? two : one;
    t.equal(await mount.succeed('cat', ['counter']), `${round}\n`);
    await mount.succeed('sh', ['-c', 'read n < counter; echo $((n + 1)) > counter']);
  }
  t.equal(await one.succeed('cat', ['counter']), '50\n');
});

t.test('both append to one log and lose no line', async (t) => {
  const append = (name: string): string => `for i in $(seq 40); do echo ${name} $i >> log; done`;
  await Promise.all([one.succeed('sh', ['-c', append('one')]), two.succeed('sh', ['-c', append('two')])]);
  for (const mount of [one, two]) {
    const lines = (await mount.succeed('cat', ['log'])).split('\n').filter(Boolean);
    t.equal(lines.length, 80);
    t.equal(new Set(lines).size, 80);
  }
});

t.test('a directory that is open here and removed there has no link', async (t) => {
  await one.succeed('mkdir', ['opened', 'replaced', 'replacing']);
  const removed = 'rmdir opened; mv -T replacing replaced; touch gone';
  const waits = 'until [ -e gone ]; do sleep 0.02; done';
  const watcher = one.succeed('sh', [
    '-c',
    `exec 3<opened 4<replaced; touch ready; ${waits}; stat -L -c %h /dev/fd/3 /dev/fd/4; rm gone`,
  ]);
  await two.succeed('sh', ['-c', `until [ -e ready ]; do sleep 0.02; done; rm ready; ${removed}`]);
  t.equal(await watcher, '0\n0\n');
  await one.succeed('rmdir', ['replaced']);
});

t.test('a file that is open there, and lost the name that it was opened by, is changed here', async (t) => {
  await one.succeed('sh', ['-c', 'mkdir p q; echo content > p/file; ln p/file q/other; ls -lR']);
  const until = (name: string): string => `until [ -e p/${name} ]; do sleep 0.02; done`;
  const opened = two.succeed('sh', [
    '-c',
    `exec 3< p/file; rm p/file; touch p/opened; ${until('changed')}; stat -L -c %a /dev/fd/3; stat -c %a q/other`,
  ]);
  // The first of them makes it known here, and the second one needs nobody.
  await one.succeed('sh', [
    '-c',
    `${until('opened')}; chmod 600 q/other; chmod 640 q/other; touch p/changed`,
  ]);
  t.equal(await opened, '640\n640\n');
  t.notMatch(one.service.output, /could not make a change/);
  await one.succeed('rm', ['-r', 'p', 'q']);
});

t.test('a tree made here is removed there', async (t) => {
  await one.succeed('sh', ['-c', 'mkdir -p tree/a/b && touch tree/1 tree/a/2 tree/a/b/3 && ls -R tree']);
  await two.succeed('rm', ['-r', 'tree']);
  t.equal(await one.succeed('ls'), 'counter\nlog\n');
  t.not((await one.run('ls', ['tree'])).code, 0);
});

t.test('what ftpctl does shows at once, and ftpctl sees what was just done here', async (t) => {
  await one.succeed('sh', ['-c', 'mkdir box && echo mine > box/file']);
  t.equal(
    (await daemon.ftpctl(['cat', ...daemon.login('alice'), daemon.at('alice', 'box/file')])).stdout,
    'mine\n',
  );
  await daemon.ftpctl([
    'mv',
    ...daemon.login('alice'),
    daemon.at('alice', 'box/file'),
    daemon.at('alice', 'box/moved'),
  ]);
  t.equal(await one.succeed('ls', ['box']), 'moved\n');
  await daemon.ftpctl(['rm', '-r', ...daemon.login('alice'), daemon.at('alice', 'box')]);
  t.equal(await two.succeed('ls'), 'counter\nlog\n');
  t.equal(await one.succeed('ls'), 'counter\nlog\n');
});

t.test('an open file that the other mount replaces goes on being readable', async (t) => {
  await one.succeed('sh', ['-c', 'echo old > held']);
  const reader = one.succeed('sh', [
    '-c',
    'exec 3< held; touch opened; while [ -e opened ]; do sleep 0.02; done; cat <&3',
  ]);
  await two.succeed('sh', [
    '-c',
    'while [ ! -e opened ]; do sleep 0.02; done; echo new > other; mv other held; rm opened',
  ]);
  t.equal(await reader, 'old\n');
  t.equal(await one.succeed('cat', ['held']), 'new\n');
});
