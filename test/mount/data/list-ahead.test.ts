import t from 'tap';
import { ListAhead } from '../../../mount/data/list-ahead.js';

interface Directory {
  readonly name: string;
  readonly below: Directory[];
  readonly files: number;
  known: boolean;
}

function tree(depth: number, width: number, files: number, name = 'd'): Directory {
  const below =
    depth === 0 ? [] : Array.from({ length: width }, (_, i) => tree(depth - 1, width, files, `${name}${i}`));
  return { name, below, files, known: false };
}

/** A mount over a server that lists breadth first, as the method `list` says. */
class Mount {
  /** Requests that a program waited for, and those in its back. */
  waits = 0;
  inBack = 0;
  /** What the latest request asked for. */
  entries = 0;
  readonly underWay: (() => void)[] = [];
  readonly ahead = new ListAhead<Directory>({
    below: ({ below }) => below,
    wanted: ({ known }) => !known,
    list: (directory, entries, done) => {
      this.inBack++;
      this.underWay.push(() => {
        this.#list(directory, entries);
        done();
      });
    },
  });

  #list(directory: Directory, entries: number): void {
    this.entries = entries;
    const listed: Directory[] = [];
    let left = entries;
    const queue = [directory];
    for (const next of queue) {
      left -= next.below.length + next.files;
      if (left < 0 && next !== directory) break;
      listed.push(next);
      next.known = true;
      queue.push(...next.below);
    }
    this.ahead.came(listed);
  }

  /** A program lists a directory. */
  list(directory: Directory): void {
    if (!directory.known) {
      this.waits++;
      this.#list(directory, this.ahead.entries(directory));
    }
    this.ahead.used(directory);
    // What was asked for in its back comes a moment later.
    for (const answer of this.underWay.splice(0)) answer();
  }

  walk(directory: Directory): void {
    this.list(directory);
    for (const below of directory.below) this.walk(below);
  }
}

t.test('a walk of a tree that one request brings', (t) => {
  const mount = new Mount();
  mount.walk(tree(3, 5, 3));
  t.equal(mount.waits, 1);
  t.end();
});

t.test('a walk of a larger one waits now and then', (t) => {
  const mount = new Mount();
  const root = tree(4, 8, 5);
  mount.walk(root);
  t.ok(mount.waits <= 20, `${mount.waits} waits for 4681 directories`);
  t.ok(mount.waits + mount.inBack < 600);
  t.end();
});

t.test('where nothing is used of it, less comes along, and nothing is asked for', (t) => {
  const mount = new Mount();
  const roots = Array.from({ length: 8 }, () => tree(3, 6, 2));
  for (const root of roots) mount.list(root);
  t.equal(mount.entries, 128);
  t.equal(mount.inBack, 0);
  const [, second] = roots;
  if (second === undefined) throw new Error('no tree');
  mount.walk(tree(3, 6, 2));
  mount.list(tree(1, 1, 1));
  t.ok(mount.entries >= 256, 'it comes back when it is of use again');
  t.end();
});

t.test('directories without others in them say nothing', (t) => {
  const mount = new Mount();
  for (let i = 0; i < 20; i++) mount.list(tree(0, 0, 10));
  t.equal(mount.entries, 1024);
  t.end();
});
