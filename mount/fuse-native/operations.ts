/**
 * The file system as fuse-native wants it: callbacks that get paths, over operations on nodes.
 *
 * Invariants: every callback is called exactly once, an expected failure as its errno and anything else that is thrown
 * as EIO after it was logged; a node is held as long as an operation or an open file uses it.
 */
import { O_CREAT, O_RDWR } from '../../posix/flags.js';
import { Failure } from '../../protocol/failure.js';
import type { HandleId, NodeId } from '../../protocol/ids.js';
import type { FaultLog } from '../fuse/dispatch.js';
import type { Caller, Entry, Eventually, Filesystem } from '../operations.js';
import { nativeStat, nativeStatfs, nativeType, timeOf } from './attributes.js';
import type { Done, NativeOperations, NativeStat } from './binding.js';
import { isRepresentable, type Dentries, type Dentry } from './dentries.js';
import { FileTable } from './file-table.js';

/** chown(2): leave the id as it is. */
const UNCHANGED = 0xffff_ffff;

/** fuse-native does not tell who asks. */
export const CALLER: Caller = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, pid: 0 };

/** The callbacks of one mount. `dentries` are those of the same file system. */
export function nativeOperations(
  filesystem: Filesystem,
  dentries: Dentries,
  log: FaultLog,
): NativeOperations {
  const files = new FileTable();

  /** Answers with what the operation returns: the result, and the values that go with it. */
  async function answer<Values extends unknown[]>(
    done: Done<Values>,
    operation: () => Promise<[number, ...Values]>,
  ): Promise<void> {
    let results: [number, ...Values];
    try {
      results = await operation();
    } catch (thrown) {
      if (!(thrown instanceof Failure))
        log.error({ err: thrown }, 'an operation failed in an unexpected way');
      done(-Failure.from(thrown).errno);
      return;
    }
    done(...results);
  }

  /** Answers an operation on the node at a path. */
  function onNode(path: string, done: Done, operation: (node: NodeId) => Eventually<unknown>): void {
    void answer(done, async () => {
      await dentries.use(path, operation);
      return [0];
    });
  }

  /** Answers an operation on a name that ceases to be. */
  function onName(
    path: string,
    done: Done,
    operation: (parent: NodeId, name: Buffer) => Eventually<void>,
  ): void {
    void answer(done, async () => {
      await dentries.useParent(path, async (parent, name) => {
        await operation(parent.node, name);
        dentries.invalidate(parent.node, name);
      });
      return [0];
    });
  }

  /** Answers an operation that makes a name. */
  function onNewName(
    path: string,
    done: Done,
    operation: (parent: NodeId, name: Buffer) => Eventually<Entry>,
  ): void {
    void answer(done, async () => {
      await dentries.useParent(path, async (parent, name) => {
        dentries.release(dentries.adopt(parent, name, await operation(parent.node, name)));
      });
      return [0];
    });
  }

  /** Answers an operation on an open file. */
  function onFile(
    file: number,
    done: Done,
    operation: (node: NodeId, handle: HandleId) => Eventually<number | void>,
  ): void {
    void answer(done, async () => {
      const { dentry, handle } = files.get(file);
      return [(await operation(dentry.node, handle)) ?? 0];
    });
  }

  /** Runs an operation on a directory that is open meanwhile. */
  function withDirectory(
    path: string,
    operation: (node: NodeId, handle: HandleId) => Eventually<void>,
  ): Promise<void> {
    return dentries.use(path, async (node) => {
      const { handle } = await filesystem.opendir(node, CALLER);
      try {
        await operation(node, handle);
      } finally {
        await filesystem.releasedir(node, handle);
      }
    });
  }

  /** Opens a file of a dentry that is held, and that the table holds from then on. */
  async function openHeld(held: Dentry, open: () => Eventually<HandleId>): Promise<[number, number]> {
    try {
      return [0, files.add({ dentry: held, handle: await open() })];
    } catch (error) {
      dentries.release(held);
      throw error;
    }
  }

  return {
    statfs: (path, done) =>
      void answer(done, async () => {
        const get = (node: NodeId) => filesystem.statfs(node, CALLER);
        return [0, nativeStatfs(await dentries.use(path, get))];
      }),

    getattr: (path, done) =>
      void answer(done, async () => {
        const get = (node: NodeId) => filesystem.getattr(node, undefined, CALLER);
        return [0, nativeStat((await dentries.use(path, get)).attributes)];
      }),

    access: (path, mask, done) => onNode(path, done, (node) => filesystem.access(node, mask, CALLER)),

    open: (path, flags, done) =>
      void answer(done, async () => {
        const held = await dentries.hold(path);
        return openHeld(held, async () => (await filesystem.open(held.node, flags, CALLER)).handle);
      }),

    create: (path, mode, done) =>
      void answer(done, () =>
        dentries.useParent(path, async (parent, name) => {
          // The flags are not known: reading and writing allows what any of them would.
          const flags = O_RDWR | O_CREAT;
          const { entry, opened } = await filesystem.create(parent.node, name, flags, mode, CALLER);
          return openHeld(dentries.adopt(parent, name, entry), () => opened.handle);
        }),
      ),

    read: (_path, file, data, length, offset, done) =>
      onFile(file, done, async (node, handle) => {
        let copied = 0;
        const take = (pieces: readonly Buffer[]) => {
          for (const piece of pieces) copied += piece.copy(data, copied);
        };
        if (offset <= Number.MAX_SAFE_INTEGER)
          await filesystem.read(node, handle, offset, length, take, CALLER);
        return copied;
      }),

    write: (_path, file, data, length, offset, done) =>
      onFile(file, done, (node, handle) => {
        checkEnd(offset + length);
        return filesystem.write(node, handle, offset, data, false, CALLER);
      }),

    flush: (_path, file, done) =>
      onFile(file, done, (node, handle) => filesystem.flush(node, handle, undefined, CALLER)),

    fsync: (_path, dataOnly, file, done) =>
      onFile(file, done, (node, handle) => filesystem.fsync(node, handle, dataOnly !== 0, CALLER)),

    release: (_path, file, done) =>
      onFile(file, done, async (node, handle) => {
        const { dentry } = files.remove(file);
        try {
          await filesystem.release(node, handle);
        } finally {
          dentries.release(dentry);
        }
      }),

    fsyncdir: (path, _dataOnly, _file, done) =>
      void answer(done, async () => {
        await withDirectory(path, (node, handle) => filesystem.fsyncdir(node, handle, CALLER));
        return [0];
      }),

    readdir: (path, done) =>
      void answer(done, async () => {
        const names: string[] = [];
        const stats: NativeStat[] = [];
        await withDirectory(path, async (node, handle) => {
          // Until a call brings nothing: this sink is never full, but the file system may list in parts.
          for (let offset = 0n, last: bigint | undefined = -1n; offset !== last;) {
            last = offset;
            await filesystem.readdir(
              node,
              handle,
              offset,
              false,
              (entry) => {
                offset = entry.offset;
                if (!isRepresentable(entry.name)) return true;
                names.push(entry.name.toString());
                stats.push(nativeType(entry.type));
                return true;
              },
              CALLER,
            );
          }
        });
        return [0, names, stats];
      }),

    truncate: (path, size, done) =>
      onNode(path, done, (node) => {
        checkEnd(size);
        return filesystem.setattr(node, undefined, { size }, CALLER);
      }),

    ftruncate: (_path, file, size, done) =>
      onFile(file, done, async (node, handle) => {
        checkEnd(size);
        await filesystem.setattr(node, handle, { size }, CALLER);
      }),

    chmod: (path, mode, done) =>
      onNode(path, done, (node) => filesystem.setattr(node, undefined, { mode: mode & 0o7777 }, CALLER)),

    chown: (path, uid, gid, done) =>
      onNode(path, done, (node) => {
        const changes = { ...(uid !== UNCHANGED && { uid }), ...(gid !== UNCHANGED && { gid }) };
        return filesystem.setattr(node, undefined, changes, CALLER);
      }),

    utimens: (path, atime, mtime, done) =>
      onNode(path, done, (node) =>
        filesystem.setattr(node, undefined, { atime: timeOf(atime), mtime: timeOf(mtime) }, CALLER),
      ),

    mknod: (path, mode, rdev, done) =>
      onNewName(path, done, (parent, name) => filesystem.mknod(parent, name, mode, rdev, CALLER)),

    mkdir: (path, mode, done) =>
      onNewName(path, done, (parent, name) => filesystem.mkdir(parent, name, mode, CALLER)),

    rmdir: (path, done) => onName(path, done, (parent, name) => filesystem.rmdir(parent, name, CALLER)),

    unlink: (path, done) => onName(path, done, (parent, name) => filesystem.unlink(parent, name, CALLER)),

    rename: (from, to, done) =>
      onName(from, done, (parent, name) =>
        dentries.useParent(to, async (newParent, newName) => {
          await filesystem.rename(parent, name, newParent.node, newName, 0, CALLER);
          dentries.invalidate(newParent.node, newName);
        }),
      ),

    link: (existing, path, done) =>
      void answer(done, async () => {
        await dentries.use(existing, (node) =>
          dentries.useParent(path, async (parent, name) => {
            const entry = await filesystem.link(node, parent.node, name, CALLER);
            dentries.release(dentries.adopt(parent, name, entry));
          }),
        );
        return [0];
      }),

    symlink: (target, path, done) =>
      onNewName(path, done, (parent, name) =>
        filesystem.symlink(parent, name, representable(Buffer.from(target)), CALLER),
      ),

    readlink: (path, done) =>
      void answer(done, async () => {
        const target = await dentries.use(path, (node) => filesystem.readlink(node, CALLER));
        return [0, representable(target).toString()];
      }),
  };
}

/** A file is below 2^53 bytes: offsets beyond have lost their last digits on the way here. */
function checkEnd(end: number): void {
  if (end > Number.MAX_SAFE_INTEGER) throw new Failure('EFBIG');
}

function representable(target: Buffer): Buffer {
  if (!isRepresentable(target)) throw new Failure('EINVAL', 'the target of a symlink is not UTF-8');
  return target;
}
