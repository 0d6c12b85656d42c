import { openSync, closeSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Fanotify, type FileEvent } from '../../posix/fanotify.js';
import { fd, type Fd } from '../../posix/fd.js';
import { O_PATH } from '../../posix/flags.js';
import { temporaryDirectory } from '../lib/directory.js';
import { succeed } from '../lib/run.js';

/** A group, and a directory to mark. */
function setUp(t: Test): { group: Fanotify; path: string; directory: Fd } {
  const path = temporaryDirectory(t);
  const directory = fd(openSync(path, O_PATH));
  const group = new Fanotify();
  t.teardown(() => {
    group.close();
    closeSync(directory);
  });
  return { group, path, directory };
}

function read(group: Fanotify): FileEvent[] {
  const events = group.read() ?? [];
  if (events === 'overflow') throw new Error('an overflow');
  return events;
}

t.test('tells what others do in a directory, and not what this process does', async (t) => {
  const { group, path, directory } = setUp(t);
  const handle = group.markDirectory(directory);
  t.equal(group.read(), undefined, 'nothing has happened, and it does not block');
  writeFileSync(join(path, 'own'), 'own');
  t.strictSame(read(group), []);
  await succeed('sh', ['-c', 'echo x > others; mkdir directory; rm own'], { cwd: path });
  const events = read(group);
  t.ok(events.every(({ own, handles }) => !own && handles[0] === handle));
  t.strictSame([...new Set(events.map(({ name }) => String(name)))], ['others', 'directory', 'own']);
  t.strictSame(
    events.filter(({ named }) => named).map(({ name }) => String(name)),
    ['others', 'directory'],
  );
});

t.test('a file with several names is known by its handle, whichever is used', async (t) => {
  const { group, path, directory } = setUp(t);
  await succeed('sh', ['-c', 'mkdir there; echo x > f; ln f there/g'], { cwd: path });
  const handle = group.markFile(directory, Buffer.from('f'));
  for (const command of ['echo more >> there/g', 'chmod 600 there/g', 'rm there/g']) {
    await succeed('sh', ['-c', command], { cwd: path });
    t.ok(
      read(group).some(({ handles }) => handles.includes(handle)),
      command,
    );
  }
});

t.test(
  'the end of a marked directory is told, whoever ends it; another one has another handle',
  async (t) => {
    const { group, path, directory } = setUp(t);
    const name = Buffer.from('d');
    const handles = new Set<string>();
    for (let i = 0; i < 20; i++) {
      mkdirSync(join(path, 'd'));
      const handle = group.markDirectory(directory, name);
      handles.add(handle);
      rmdirSync(join(path, 'd'));
      t.ok(read(group).some(({ deleted, own, handles: [of] }) => deleted && own && of === handle));
    }
    t.equal(handles.size, 20, 'although inode numbers are used again');
  },
);

t.test('what is not marked any more is not told of', async (t) => {
  const { group, path, directory } = setUp(t);
  mkdirSync(join(path, 'd'));
  const name = Buffer.from('d');
  group.markDirectory(directory, name);
  group.unmarkDirectory(directory, name);
  await succeed('touch', ['d/f'], { cwd: path });
  t.strictSame(read(group), []);
});

t.test('a queue that is full says so', async (t) => {
  const { group, path, directory } = setUp(t);
  group.markDirectory(directory);
  const command = 'for (my $i = 0; $i < 20000; $i++) { open(my $f, ">", "f$i"); close($f); unlink("f$i"); }';
  await succeed('perl', ['-e', command], { cwd: path, timeoutMs: 60_000 });
  let seen: ReturnType<Fanotify['read']>;
  let full = false;
  while ((seen = group.read()) !== undefined) full ||= seen === 'overflow';
  t.ok(full);
});
