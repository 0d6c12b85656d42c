/*
 * Durability: syncs never overlap, who asks gets one that began after, and durable is what was applied when it began.
 */
import { EventEmitter, once } from 'node:events';
import t, { type Test } from 'tap';
import { ConfinedTree } from '../../../daemon/home/disk/confined.js';
import { Durability, type DurabilityOptions } from '../../../daemon/home/durability.js';
import { Marks } from '../../../daemon/home/operations/marks.js';
import { temporaryDirectory } from '../../lib/directory.js';

interface Sync {
  end(): void;
  fail(error: Error): void;
}

/** A home whose syncs end when the test says so. */
class SlowDisk {
  readonly marks: Marks;
  readonly durability: Durability;
  /** What was durable when the clients were told. */
  readonly told: number[] = [];
  readonly errors: unknown[] = [];
  running = 0;
  most = 0;
  readonly #events = new EventEmitter();

  /** An operation was carried out. */
  applied(number: number): void {
    this.durability.changed();
    this.marks.setApplied(number);
  }

  constructor(t: Test, options: Partial<DurabilityOptions> = {}) {
    const tree = ConfinedTree.open(temporaryDirectory(t));
    this.marks = Marks.open(tree, Buffer.alloc(16, 1));
    t.teardown(() => {
      this.marks.close();
      tree.close();
    });
    this.durability = new Durability({
      tree,
      marks: () => [this.marks],
      onDurable: () => this.told.push(this.marks.durable),
      onFailed: (error) => this.errors.push(error),
      sync: () => this.#sync(),
      ...options,
    });
  }

  /** The next sync that begins. */
  async nextSync(): Promise<Sync> {
    const [sync] = (await once(this.#events, 'sync')) as [Sync];
    return sync;
  }

  async #sync(): Promise<void> {
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await new Promise<void>((resolve, reject) => {
      setImmediate(() => this.#events.emit('sync', { end: resolve, fail: reject }));
    });
    this.running -= 1;
  }
}

void t.test('durable is what was applied when the sync began', async (t) => {
  const slow = new SlowDisk(t);
  const { marks, durability, told } = slow;
  slow.applied(3);
  const first = slow.nextSync();
  const synced = durability.sync();
  const sync = await first;
  slow.applied(5);
  sync.end();
  await synced;
  t.strictSame([marks.durable, told], [3, [3]]);
});

void t.test('who asks during a sync gets the next one, with all others', async (t) => {
  const slow = new SlowDisk(t);
  const { marks, durability } = slow;
  const begins = slow.nextSync();
  slow.applied(0);
  const first = durability.sync();
  const one = await begins;
  slow.applied(1);
  const second = durability.sync();
  slow.applied(2);
  const third = durability.sync();
  const next = slow.nextSync();
  one.end();
  await first;
  t.equal(marks.durable, 0);
  const two = await next;
  two.end();
  await Promise.all([second, third]);
  t.strictSame([marks.durable, slow.told, slow.most], [2, [0, 2], 1]);
});

void t.test('where nothing changed since, nothing is synced', async (t) => {
  const slow = new SlowDisk(t);
  const { durability, marks } = slow;
  let begins = slow.nextSync();
  const left = durability.sync();
  (await begins).end();
  t.equal(
    await left,
    undefined,
    'the first is done all the same: a daemon that was killed may have left something',
  );
  slow.applied(1);
  begins = slow.nextSync();
  const one = durability.sync();
  const sync = await begins;
  const two = durability.sync();
  sync.end();
  await Promise.all([one, two]);
  await durability.sync();
  t.strictSame([marks.durable, slow.told], [1, [0, 1]]);
});

void t.test('what changes is synced by itself, once', async (t) => {
  const slow = new SlowDisk(t, { afterMs: 1 });
  const begins = slow.nextSync();
  slow.durability.changed();
  slow.durability.changed();
  // The timer alone keeps no process alive.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  (await begins).end();
  await slow.durability.close();
  t.equal(slow.told.length, 1);
  t.ok(slow.durability.reached);
  slow.durability.changing();
  t.notOk(slow.durability.reached);
});

void t.test('a sync that fails moves nothing, and is told before who asked for it is', async (t) => {
  const slow = new SlowDisk(t, { afterMs: 1 });
  const { marks, durability } = slow;
  t.notOk(durability.reached, 'what a daemon of before did may not be on the disk');
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  const broken = Object.assign(new Error('broken'), { code: 'EIO' });
  let begins = slow.nextSync();
  slow.applied(4);
  let sync = await begins;
  begins = slow.nextSync();
  sync.fail(broken);
  slow.applied(4);
  const asked = durability.sync().then(
    () => [],
    (error: unknown) => [error, slow.errors.length],
  );
  sync = await begins;
  t.strictSame([marks.durable, slow.told, slow.errors, durability.reached], [0, [], [broken], false]);
  sync.fail(broken);
  t.strictSame(await asked, [broken, 2]);
  begins = slow.nextSync();
  slow.applied(4);
  const again = durability.sync();
  (await begins).end();
  await again;
  t.strictSame([marks.durable, durability.reached], [4, false], 'what was lost is not there');
});

void t.test('a mark that cannot be written keeps no other from being durable', async (t) => {
  const broken = {
    applied: 2,
    setDurable() {
      throw new Error('no room');
    },
  };
  const slow: SlowDisk = new SlowDisk(t, { marks: () => [broken, slow.marks] });
  slow.applied(4);
  const begins = slow.nextSync();
  const synced = slow.durability.sync();
  (await begins).end();
  await synced;
  t.strictSame([slow.marks.durable, slow.told, slow.errors], [4, [4], []]);
});

void t.test('closing syncs what is left', async (t) => {
  const slow = new SlowDisk(t);
  slow.applied(9);
  const begins = slow.nextSync();
  const closed = slow.durability.close();
  (await begins).end();
  await closed;
  t.equal(slow.marks.durable, 9);
  await slow.durability.close();
});

void t.test('closing goes on where a sync fails', async (t) => {
  const slow = new SlowDisk(t);
  let begins = slow.nextSync();
  slow.durability.changed();
  const closed = slow.durability.close();
  const failing = await begins;
  slow.marks.setApplied(3);
  slow.durability.changed();
  begins = slow.nextSync();
  failing.fail(new Error('broken'));
  (await begins).end();
  await closed;
  t.equal(slow.marks.durable, 3);
});

void t.test('with a real disk', async (t) => {
  const tree = ConfinedTree.open(temporaryDirectory(t));
  const marks = Marks.open(tree, Buffer.alloc(16, 1));
  let told = 0;
  const durability = new Durability({
    tree,
    marks: () => [marks],
    onDurable: () => (told += 1),
    onFailed: (error) => t.fail('it failed', { error }),
  });
  marks.setApplied(1);
  durability.changed();
  await Promise.all([durability.sync(), durability.sync()]);
  t.ok(told >= 1);
  t.equal(marks.durable, 1);
  await durability.close();
  marks.close();
  tree.close();
});
