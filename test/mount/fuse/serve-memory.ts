/**
 * Serves a MemoryFilesystem on a mount point, as a process of its own: a process must never touch a mount that it
 * serves. `serve-memory.js MOUNTPOINT UID OPTIONS` with MountOptions as JSON. Tells what happens by messages to
 * its parent, and ends when the mount does.
 */
import { mountFilesystem, type MountOptions } from '../../../mount/fuse/session.js';
import { mountWithFuseNative } from '../../../mount/fuse-native/session.js';
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { dropPrivileges } from './drop-privileges.js';
import { MemoryFilesystem } from './memory-filesystem.js';

/** What the program is started with. */
export interface ServeOptions extends Partial<Omit<MountOptions, 'create' | 'log'>> {
  readonly validMs?: number;
  /** Absent: the kernel protocol. */
  readonly driver?: 'fuse-native';
}

/** What the program tells. */
export type Report =
  | { type: 'ready' }
  | { type: 'failed'; kind: string; message: string }
  /** An operation waits (memory-filesystem.ts). */
  | { type: 'hanging' }
  /** An order was carried out; `kind` tells of what it failed. */
  | { type: 'done'; kind?: string }
  | { type: 'unmounted'; destroyed: boolean; openHandles: number }
  | { type: 'fault'; message: string };

/** What the program is told. */
export type Order =
  | { type: 'unmount'; force: boolean }
  /** Makes a file behind the kernel's back. */
  | { type: 'create'; name: string }
  /** Tells the kernel to forget a name. */
  | { type: 'invalidate'; name: string }
  /** Ends the process, as something unexpected would. */
  | { type: 'exit' }
  /** Lets a waiting mkdir or write go on. */
  | { type: 'proceed' }
  /** Fills a file with a letter behind the kernel's back, and says so afterwards. */
  | { type: 'fill'; name: string; letter: string };

function report(message: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

const [mountpoint = '', uid = '0', json = '{}'] = process.argv.slice(2);
dropPrivileges(Number(uid));
const { validMs = 0, driver, ...options } = JSON.parse(json) as ServeOptions;
const filesystem = new MemoryFilesystem({ validMs, onHang: () => void report({ type: 'hanging' }) });
const owner = { uid: Number(uid), gid: Number(uid), pid: 0 };

try {
  const mount = driver === 'fuse-native' ? mountWithFuseNative : mountFilesystem;
  const session = await mount({
    source: 'memory',
    ...options,
    mountpoint,
    log: { error: (_details, message) => void report({ type: 'fault', message }) },
    create: () => filesystem,
  });

  const carryOut = async (order: Order): Promise<void> => {
    if (order.type === 'unmount') return session.unmount({ force: order.force });
    if (order.type === 'proceed') return filesystem.proceed();
    if (order.type === 'exit') process.exit(1);
    const name = Buffer.from(order.name);
    if (order.type === 'create') {
      filesystem.mknod(ROOT_NODE, name, 0o100644, 0, owner);
      return undefined;
    }
    if (order.type === 'invalidate') {
      session.caches.invalidateEntry(ROOT_NODE, name);
      return undefined;
    }
    const found = filesystem.lookup(ROOT_NODE, name);
    if (found.nodeId === undefined) throw new Failure('ENOENT');
    filesystem.write(
      found.nodeId,
      filesystem.open(found.nodeId, 0).handle,
      0,
      Buffer.alloc(4096, order.letter),
    );
    session.caches.invalidateNode(found.nodeId, 0, 0);
    return undefined;
  };
  process.on('message', (order: Order) => {
    carryOut(order).then(
      () => report({ type: 'done' }),
      (error: unknown) => report({ type: 'done', kind: Failure.from(error).kind }),
    );
  });

  await report({ type: 'ready' });
  await session.unmounted;
  await report({ type: 'unmounted', destroyed: filesystem.destroyed, openHandles: filesystem.handles.size });
} catch (error) {
  const { kind, message } = Failure.from(error);
  await report({ type: 'failed', kind, message });
}
if (process.connected) process.disconnect();
