/*
 * Two mounts of one home see each other's changes by the server's notice, not when what they cached ages. The notice is
 * sent before the change is answered, but nobody waits until it has arrived: that takes milliseconds.
 */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome, type Mounted } from '../lib/mounted.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
const one = await mountHome(t, daemon, 'alice');
const two = await mountHome(t, daemon, 'alice');

/** Well below the 3 s after which what is cached is asked for again anyway. */
const NOTICE_MS = 1_000;

/** Waits until a shell command in the mount succeeds and prints this; gives what it prints in the end. */
async function seen(mounted: Mounted, command: string, expected: string): Promise<string> {
  for (const end = Date.now() + NOTICE_MS; ; await delay(5)) {
    const { code, stdout } = await mounted.run('sh', ['-c', command]);
    if ((code === 0 && stdout === expected) || Date.now() > end) return stdout;
  }
}

t.test('names, content, sizes and modes, one way and the other', async (t) => {
  for (const [here, there] of [
    [one, two],
    [two, one],
  ] as const) {
    // The other side has looked and has cached that it is not there, or how it was.
    t.not((await there.run('cat', ['file'])).code, 0);
    t.equal(await there.succeed('ls'), '');
    await here.succeed('sh', ['-c', 'echo first > file']);
    t.equal(await seen(there, 'cat file', 'first\n'), 'first\n');
    t.equal(await seen(there, 'ls', 'file\n'), 'file\n');
    await here.succeed('sh', ['-c', 'echo the second and longer one > file']);
    const longer = 'the second and longer one\n';
    t.equal(await seen(there, 'cat file', longer), longer);
    await here.succeed('sh', ['-c', 'echo appended >> file; chmod 600 file']);
    t.equal(await seen(there, 'stat -c "%s %a" file', '35 600\n'), '35 600\n');
    await here.succeed('truncate', ['-s', '3', 'file']);
    t.equal(await seen(there, 'cat file', 'the'), 'the');
    await here.succeed('mv', ['file', 'renamed']);
    t.equal(await seen(there, 'ls', 'renamed\n'), 'renamed\n');
    t.equal(await seen(there, '! cat file', ''), '');
    await here.succeed('rm', ['renamed']);
    t.equal(await seen(there, 'ls', ''), '');
  }
});

t.test('fifty rounds of a counter, turn by turn', async (t) => {
  await one.succeed('sh', ['-c', 'echo 0 > counter']);
  for (let round = 0; round < 50; round++) {
    const mount = round % 2 === 0 ? two : one;
    t.equal(await seen(mount, 'cat counter', `${round}\n`), `${round}\n`);
    await mount.succeed('sh', ['-c', 'read n < counter; echo $((n + 1)) > counter']);
  }
  t.equal(await seen(one, 'cat counter', '50\n'), '50\n');
});

t.test('both append to one log and lose no line', async (t) => {
  const append = (name: string): string => `for i in $(seq 40); do echo ${name} $i >> log; done`;
  await Promise.all([one.succeed('sh', ['-c', append('one')]), two.succeed('sh', ['-c', append('two')])]);
  t.equal(await seen(one, 'wc -l < log', '80\n'), '80\n');
  const lines = (await one.succeed('cat', ['log'])).split('\n').filter(Boolean);
  t.equal(new Set(lines).size, 80);
});

t.test('a tree made here is removed there', async (t) => {
  await one.succeed('sh', ['-c', 'mkdir -p tree/a/b && touch tree/1 tree/a/2 tree/a/b/3 && ls -R tree']);
  await two.succeed('rm', ['-r', 'tree']);
  t.equal(await seen(one, 'ls', 'counter\nlog\n'), 'counter\nlog\n');
  t.not((await one.run('ls', ['tree'])).code, 0);
});
