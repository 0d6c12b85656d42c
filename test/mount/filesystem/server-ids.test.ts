import t from 'tap';
import type { Attributes } from '../../../protocol/attributes.js';
import { Failure } from '../../../protocol/failure.js';
import { CREATE, SYMLINK } from '../../../protocol/operations.js';
import type { FileId } from '../../../protocol/references.js';
import { shownIno } from '../../../mount/tree/inode.js';
import { ServerIds } from '../../../mount/filesystem/server-ids.js';
import type { Entry } from '../../../mount/log/entry.js';
import { Log } from '../../../mount/log/log.js';
import type { Inode } from '../../../mount/tree/inode.js';
import { NOTHING } from '../log/operations.js';
import { attributesOf, newId, NOW, plant, REGULAR, SYMLINK as LINK_MODE } from '../tree/planted.js';

type Answer = (failure: Failure | undefined, attributes: Attributes | undefined) => void;

/** A mount of a home of which all is known, and a server that a test plays. */
class Setup {
  readonly planted = plant({ whole: true });
  #time = 0;
  readonly log = new Log({
    failed: () => undefined,
    told: () => undefined,
    dropped: () => this.ids.dropped(),
    now: () => (this.#time += 1),
  });
  readonly asked: { path: string; answer: Answer }[] = [];
  #provisional = 0n;
  readonly ids = new ServerIds({
    tree: this.planted.tree,
    log: this.log,
    provisional: () => this.provisional(),
    getattr: (path, answer) => this.asked.push({ path: path.toString(), answer }),
  });

  provisional(): FileId {
    return { ino: 0n, birth: (this.#provisional += 1n) };
  }

  /** Makes a file by an id that was granted. */
  create(key: string): { inode: Inode; entry: Entry; id: FileId } {
    const { tree, root } = this.planted;
    const id = newId();
    const inode = tree.create(root, key, { id, mode: REGULAR, time: NOW });
    const entry = this.log.append(
      { kind: CREATE, directory: this.#root(), name: Buffer.from(key), time: NOW, mode: REGULAR, id },
      NOTHING,
    );
    return { inode, entry, id };
  }

  symlink(key: string): { inode: Inode; entry: Entry; id: FileId } {
    const { tree, root } = this.planted;
    const id = this.provisional();
    const target = Buffer.from('to');
    const inode = tree.symlink(root, key, { id, target, time: NOW });
    const entry = this.log.append(
      { kind: SYMLINK, directory: this.#root(), name: Buffer.from(key), time: NOW, target, id },
      NOTHING,
    );
    return { inode, entry, id };
  }

  /** The server was killed, had applied so much, and is there again. */
  killed(applied: number): void {
    this.ids.connected(applied, false);
    this.log.resume(applied);
  }

  #root() {
    return { ...this.planted.root.id, path: null };
  }
}

t.test('what the server tells is what the file is called', async (t) => {
  const s = new Setup();
  const { inode, entry, id } = s.symlink('link');
  t.same(s.ids.of(id), id);
  s.log.take();
  s.ids.told(entry, attributesOf(40, LINK_MODE));
  t.match(inode.id, { ino: 40n });
  t.match(s.ids.of(id), { ino: 40n }, 'also for what names it as before');
});

t.test(
  'an id that no operation of the log names any more is forgotten, however long the log is in use',
  async (t) => {
    const s = new Setup();
    const link = s.symlink('link');
    // These may name it.
    s.create('a');
    s.log.take();
    s.ids.told(link.entry, attributesOf(40, LINK_MODE));
    s.create('b');
    s.log.take();
    s.log.answered(3, 1, []);
    t.match(s.ids.of(link.id), { ino: 40n }, 'while one is in the log that may');
    s.log.durable(2);
    t.same(s.ids.of(link.id), link.id);
    t.ok(s.log.last, 'others are still there');
  },
);

t.test('what a killed server had not made is made by a provisional id', async (t) => {
  const s = new Setup();
  const { inode, entry, id } = s.create('f');
  s.log.take();
  s.killed(0);
  t.equal(s.ids.of(id).ino, 0n);
  t.same(inode.id, s.ids.of(id));
  // Its number is another file's by now.
  s.planted.tree.found(s.planted.root, 'other', attributesOf(id.ino));
  s.ids.told(entry, attributesOf(50));
  t.match(inode.id, { ino: 50n });
  t.equal(shownIno(inode), id.ino, 'programs that have it open find the same file at its name');
  await s.ids.ask();
  t.same(s.asked, [], 'the server told');
});

t.test('what it had made and not told is asked for by its place', async (t) => {
  const s = new Setup();
  const { inode, id } = s.create('f');
  s.log.take();
  s.killed(1);
  t.equal(s.ids.of(id).ino, 0n);
  const asking = s.ids.ask();
  t.equal(s.asked[0]?.path, 'f');
  s.asked[0]?.answer(undefined, attributesOf(60));
  await asking;
  t.match(inode.id, { ino: 60n });
  t.match(s.ids.of(id), { ino: 60n });
});

t.test('where the connection is lost meanwhile it is asked for again; what is gone is not', async (t) => {
  const s = new Setup();
  const there = s.create('there');
  s.create('gone');
  s.log.take();
  s.killed(2);
  const first = s.ids.ask();
  t.same(
    s.asked.map(({ path }) => path),
    ['there', 'gone'],
  );
  s.asked[0]?.answer(new Failure('ECONNRESET'), undefined);
  s.asked[1]?.answer(new Failure('ENOENT'), undefined);
  await first;
  s.asked.length = 0;
  const second = s.ids.ask();
  t.same(
    s.asked.map(({ path }) => path),
    ['there'],
  );
  s.asked[0]?.answer(undefined, attributesOf(70));
  await second;
  t.match(there.inode.id, { ino: 70n });
});

t.test('from one id to the next, and back', async (t) => {
  const s = new Setup();
  const { inode, entry, id } = s.create('f');
  s.log.take();
  s.killed(0);
  const provisional = inode.id;
  s.ids.told(entry, attributesOf(80));
  s.log.take();
  s.killed(0);
  t.equal(inode.id.ino, 0n, 'lost with the server again');
  const again = inode.id;
  t.not(again.birth, provisional.birth);
  s.ids.told(entry, attributesOf(80));
  for (const each of [id, provisional, again]) t.match(s.ids.of(each), { ino: 80n });
});

t.test('a server that goes on has what it granted, and tells what it made', async (t) => {
  const s = new Setup();
  const file = s.create('f');
  const link = s.symlink('link');
  s.log.take();
  s.ids.connected(2, true);
  t.same(s.ids.of(file.id), file.id);
  s.ids.told(link.entry, attributesOf(90, LINK_MODE));
  await s.ids.ask();
  t.same(s.asked, []);
});
