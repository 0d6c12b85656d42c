/*
 * What is open in the trash is summed as it changes: after each of many changes at random the sum is what a count of the disk
 * finds. SEED=n in the environment repeats a run.
 */
import { existsSync, lstatSync, readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { chargedBytes } from '../../../../daemon/home/files/held-files.js';
import { KEPT_MS } from '../../../../daemon/home/files/removed-files.js';
import type { UserHome } from '../../../../daemon/home/user-home.js';
import { statxFd } from '../../../../posix/status.js';
import { Failure } from '../../../../protocol/failure.js';
import {
  RELEASE,
  REMOVEXATTR,
  SETATTR,
  SETXATTR,
  UNLINK,
  WRITE,
  type Operation,
} from '../../../../protocol/operations.js';
import type { FileId } from '../../../../protocol/references.js';
import { RESERVED_NAME, TRASH_NAME } from '../../../../state/home-layout.js';
import type { Use } from '../../../../state/ledger.js';
import { ManualClock } from '../../../lib/manual-clock.js';
import { place as placeOf } from '../../../lib/path-client.js';
import { pick, randomFrom, seedOfRun } from '../../../lib/random.js';
import { homeTest, Place, TestClient } from '../fixture.js';

const TRASH = { trashMs: 30 * 86_400_000 };
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const CHANGES = 1500;
/** Files that are open at a time, about. */
const MOST_KNOWN = 12;
const XATTR = Buffer.from('user.note');
const REFUSED = ['ENOENT', 'EEXIST', 'ESTALE', 'EDQUOT', 'ENODATA'];
const ATTRIBUTES = { mode: null, size: null, atime: null, mtime: null, time: null };

/** The paths of what is in the trash, by inode. */
function inTrash({ directory }: Place): Map<bigint, string> {
  const trash = join(directory, String(RESERVED_NAME), String(TRASH_NAME));
  const paths = new Map<bigint, string>();
  if (!existsSync(trash)) return paths;
  for (const entry of readdirSync(trash, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    paths.set(lstatSync(path, { bigint: true }).ino, path);
  }
  return paths;
}

/** What of these files is open and in the trash. */
function counted(place: Place, home: UserHome, ids: Iterable<FileId>): Use {
  const trash = inTrash(place);
  let bytes = 0;
  let files = 0;
  for (const id of ids) {
    const fd = home.held.find(id);
    if (fd === undefined || !trash.has(id.ino)) continue;
    bytes += chargedBytes({ fd, status: statxFd(fd) });
    files += 1;
  }
  return { bytes, files };
}

void t.test('the sum is what a count finds, whatever happens', async (t) => {
  const seed = seedOfRun();
  t.comment(`SEED=${seed}`);
  const random = randomFrom(seed);
  const clock = new ManualClock();
  const place = new Place(t, { ...TRASH, bytes: 4000, files: 60 });
  const home = await place.open({ clock });
  const clients = [new TestClient(home), new TestClient(home)];
  const ids = new Map<bigint, FileId>();
  let mostFiles = 0;

  const noted = async (client: TestClient, name: string): Promise<FileId> => {
    const { ino, birth } = await client.paths.stat(name);
    ids.set(ino, { ino, birth });
    return { ino, birth };
  };

  const change = async (client: TestClient): Promise<void> => {
    const { held } = home;
    const { paths } = client;
    const name = pick(random, NAMES);
    const known = [...ids.values()].filter((id) => (held.find(id) ?? held.findRemoved(id)) !== undefined);
    if (known.length === 0 || (known.length < MOST_KNOWN && random(4) === 0)) {
      if (!(await paths.exists(name))) await paths.put(name, Buffer.alloc(random(300)));
      known.push(await noted(client, name));
    }
    const id = pick(random, known);
    const file = { ...id, path: null };
    const item = async (): Promise<Buffer> => {
      const [items] = await client.call('trash', [null]);
      if (items.length === 0) throw new Failure('ENOENT', 'the trash is empty');
      return pick(random, items)[0];
    };
    const onFile = (operation: Operation): Promise<unknown> => paths.change(operation);
    const value = Buffer.alloc(random(60));
    const changes: (() => Promise<unknown>)[] = [
      () => paths.put(name, Buffer.alloc(random(300))),
      () => paths.put(name, Buffer.alloc(random(300))),
      () => client.call('hold', [[id.ino, id.birth, null]]),
      () => onFile({ kind: WRITE, file, offset: random(400), data: Buffer.alloc(random(300)), time: null }),
      () => onFile({ ...ATTRIBUTES, kind: SETATTR, file, size: random(500) }),
      () => onFile({ kind: SETXATTR, file, time: null, xattr: XATTR, value, flags: 0 }),
      () => onFile({ kind: REMOVEXATTR, file, time: null, xattr: XATTR }),
      async () => {
        await noted(client, name);
        await paths.unlink(name);
      },
      async () => {
        await noted(client, name);
        await onFile({ kind: UNLINK, ...placeOf(name), time: null, id: null, hold: true });
      },
      () => paths.rename(name, pick(random, NAMES)),
      () => paths.link(name, pick(random, NAMES)),
      () => onFile({ kind: RELEASE, id }),
      () => onFile({ kind: RELEASE, id }),
      async () => client.call('trashRestore', [await item(), name]),
      async () => client.call('trashRemove', [await item()]),
      async () => random(20) === 0 && client.call('trashEmpty', []),
      async () => random(4) === 0 && clock.pass(KEPT_MS),
    ];
    await pick(random, changes)();
  };

  for (let i = 0; i < CHANGES; i++) {
    try {
      await change(pick(random, clients));
    } catch (error) {
      // What is refused leaves the sum true as well.
      const { kind } = Failure.from(error);
      if (!REFUSED.includes(kind)) throw error;
    }
    const { use } = home.held.openInTrash;
    mostFiles = Math.max(mostFiles, use.files);
    const anew = counted(place, home, ids.values());
    if (use.bytes === anew.bytes && use.files === anew.files) continue;
    t.strictSame(use, anew, `after change ${i}`);
    break;
  }
  t.ok(mostFiles > 2, 'several were open in the trash at once');
  for (const client of clients) {
    client.leave();
    home.logout(client.client);
  }
  t.strictSame(home.held.openInTrash.use, { bytes: 0, files: 0 });
  const { ledger, tree, trash } = await home.check(false);
  t.strictSame([ledger, trash.ledger], [tree, trash.tree]);
});

homeTest('what changed on the disk is put right by a repair', TRASH, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.put('f', Buffer.alloc(100));
  const { ino, birth } = await client.paths.stat('f');
  await client.call('hold', [[ino, birth, null]]);
  await client.paths.unlink('f');
  truncateSync(inTrash(place).get(ino) ?? '', 40);
  await home.check(true);
  t.strictSame(home.held.openInTrash.use, { bytes: 40, files: 1 });
  t.equal(home.quota.emptiable.bytes, 0);
});
