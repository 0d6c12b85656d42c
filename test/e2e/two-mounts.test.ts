/* Two mounts of one home see each other's changes without waiting: caching is by promise, not by time. */
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
    // The other side has looked and has cached that it is not there, or how it was.
    t.not((await there.run('cat', ['file'])).code, 0);
    t.equal(await there.succeed('ls'), '');
    await here.succeed('sh', ['-c', 'echo first > file']);
    t.equal(await there.succeed('cat', ['file']), 'first\n');
    t.equal(await there.succeed('ls'), 'file\n');
    await here.succeed('sh', ['-c', 'echo the second and longer one > file']);
    t.equal(await there.succeed('cat', ['file']), 'the second and longer one\n');
    await here.succeed('sh', ['-c', 'echo appended >> file; chmod 600 file']);
    t.equal(await there.succeed('stat', ['-c', '%s %a', 'file']), '35 600\n');
    await here.succeed('truncate', ['-s', '3', 'file']);
    t.equal(await there.succeed('cat', ['file']), 'the');
    await here.succeed('mv', ['file', 'renamed']);
    t.equal(await there.succeed('ls'), 'renamed\n');
    t.not((await there.run('cat', ['file'])).code, 0);
    await here.succeed('rm', ['renamed']);
    t.equal(await there.succeed('ls'), '');
  }
});

t.test('fifty rounds of a counter, turn by turn', async (t) => {
  await one.succeed('sh', ['-c', 'echo 0 > counter']);
  for (let round = 0; round < 50; round++) {
    const mount = round % 2 === 0 ? two : one;
    await mount.succeed('sh', ['-c', 'read n < counter; echo $((n + 1)) > counter']);
  }
  t.equal(await one.succeed('cat', ['counter']), '50\n');
});

t.test('both append to one log and lose no line', async (t) => {
  const append = (name: string): string => `for i in $(seq 40); do echo ${name} $i >> log; done`;
  await Promise.all([one.succeed('sh', ['-c', append('one')]), two.succeed('sh', ['-c', append('two')])]);
  const lines = (await one.succeed('cat', ['log'])).split('\n').filter(Boolean);
  t.equal(lines.length, 80);
  t.equal(new Set(lines).size, 80);
});

t.test('a tree made here is removed there', async (t) => {
  await one.succeed('sh', ['-c', 'mkdir -p tree/a/b && touch tree/1 tree/a/2 tree/a/b/3 && ls -R tree']);
  await two.succeed('rm', ['-r', 'tree']);
  t.not((await one.run('ls', ['tree'])).code, 0);
});
