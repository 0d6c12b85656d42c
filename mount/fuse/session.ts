/**
 * A mounted file system from mount to unmount: ties the mount point, the device, the dispatcher and the notifier
 * together.
 *
 * Invariant: however it ends (umount, fusermount3 -u, unmount(), an abort), the file system's destroy() has run
 * before `unmounted` settles, once, and the mount point is free. There is no FUSE_DESTROY to wait for: the
 * kernel sends that for block devices only; it is reading the device that fails (ENODEV).
 */
import { Failure } from '../../protocol/failure.js';
import type { Filesystem, KernelCaches } from '../operations.js';
import { abortConnection } from './abort.js';
import { Device } from './device.js';
import { Dispatcher, type FaultLog } from './dispatch.js';
import { attach, checkMountpoint, detach, raiseReadahead, type MountFlags } from './mountpoint.js';
import { mountAt } from './mountinfo.js';
import type { NegotiationOptions } from './negotiate.js';
import { Notifier } from './notify.js';

export interface MountOptions extends MountFlags, NegotiationOptions {
  /** An existing directory. */
  readonly mountpoint: string;
  /** What df and the mount table show as the device: 'alice@example.org'. */
  readonly source: string;
  readonly log: FaultLog;
  /** Makes the file system, once the mount point is there. It may use the caches from its first operation on. */
  create(caches: KernelCaches): Filesystem;
}

export interface MountSession {
  /** Absolute, without symlinks. */
  readonly mountpoint: string;
  readonly caches: KernelCaches;
  /** Resolves when the mount point is free, or about to be: destroy() begins. */
  readonly ending: Promise<void>;
  /** Resolves when the mount has ended and destroy() is through; rejects with what destroy() rejects with. */
  readonly unmounted: Promise<void>;
  /**
   * Unmounts and waits for `unmounted`. Throws EBUSY when the mount is in use. With `force` it takes the mount from
   * its users: everything is written back, then their operations fail with ENOTCONN.
   */
  unmount(options?: { force?: boolean }): Promise<void>;
}

/**
 * Mounts a file system; resolves when it can be used. Throws a Failure that says what to do, with nothing left
 * mounted.
 */
export async function mountFilesystem(options: MountOptions): Promise<MountSession> {
  const mountpoint = await checkMountpoint(options.mountpoint, options);
  const descriptor = await attach(mountpoint, options.source, options);
  const ready = withResolvers();
  const ending = withResolvers();
  const unmounted = withResolvers();

  const device = new Device(descriptor, {
    onMessage: (buffer, length) => dispatcher.handle(buffer, length),
    onEnd: (reason) => {
      ready.reject(new Failure('ECONNABORTED', 'the mount ended before it could be used: try again'));
      void end(reason === 'aborted');
    },
  });
  const caches = new Notifier((message) => device.notify(message));

  let filesystem: Filesystem;
  try {
    filesystem = options.create(caches);
  } catch (error) {
    device.close();
    await detach(mountpoint, true);
    throw error;
  }
  const dispatcher = new Dispatcher({
    ...options,
    filesystem,
    sink: device,
    onInit: (outcome) => {
      if (outcome instanceof Failure) return ready.reject(outcome);
      caches.mapsDirect = outcome.mapsDirect;
      ready.resolve();
    },
  });

  // However this process ends: a thread that tells the kernel something would be waited for, which waits for this one (abort.ts).
  const abandon = (): void => {
    const mounted = mountAt(mountpoint);
    if (mounted !== undefined) abortConnection(mounted);
  };
  process.once('exit', abandon);
  let ended = false;
  async function end(stillMounted: boolean): Promise<void> {
    if (ended) return;
    ended = true;
    ending.resolve();
    try {
      // First the mount, so that nobody new comes; the device last, so that those who wait get their answers.
      if (stillMounted) await detach(mountpoint, true).catch(() => {}); // it fails where an unmount was quicker
      await filesystem.destroy();
      unmounted.resolve();
    } catch (error) {
      unmounted.reject(error);
    } finally {
      device.close();
      process.off('exit', abandon);
    }
  }

  try {
    await ready.promise;
  } catch (error) {
    await end(true);
    await unmounted.promise.catch(() => {}); // the first failure is the one to tell
    throw error;
  }
  raiseReadahead(mountpoint);

  return {
    mountpoint,
    caches,
    ending: ending.promise,
    unmounted: unmounted.promise,
    async unmount({ force = false } = {}) {
      if (force) void end(true);
      else await detach(mountpoint, false);
      await unmounted.promise;
    },
  };
}

/** Promise.withResolvers, which Node 20 has not. */
function withResolvers(): {
  promise: Promise<void>;
  resolve: () => void;
  reject: (reason: unknown) => void;
} {
  let resolve: () => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
