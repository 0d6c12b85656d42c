/*
 * What is compared: a directory of the plain disk, sshfs, the driver alone and ftpmount, with leases and without. Each is a
 * directory to work in that can be made cold, and most have commands that move files each way; rsync has only those.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { startDaemon } from '../test/lib/daemon.js';
import { temporaryDirectory } from '../test/lib/directory.js';
import { mountHome, type Mounted } from '../test/lib/mounted.js';
import { forceUnmount, untilMounted } from '../test/lib/mounts.js';
import { programs } from '../test/lib/programs.js';
import { succeed } from '../test/lib/run.js';
import type { Scope } from '../test/lib/scope.js';
import { PATIENCE_MS, Service } from '../test/lib/service.js';
import { Served } from '../test/mount/fuse/served-mount.js';
import { startOpenSsh } from './openssh.js';
import { startProxy } from './proxy.js';

export type Command = readonly [program: string, ...args: string[]];

export interface Target {
  readonly name: string;
  /** The directory that workloads work in. */
  readonly directory: string;
  /** Forgets what the client side cached: unmounts, so that everything is written, and mounts again. */
  remount(): Promise<void>;
  /** A second mount of the same home, which is there or not. */
  readonly second?: {
    /** Mounts it, if it is not there, and returns its directory. */
    mount(): Promise<string>;
    unmount(): Promise<void>;
  };
  /** Where the files are at the server's side, if there is one. */
  readonly backing?: string;
  readonly transfer?: {
    /** Copies a local file to the far side under `name`. */
    put(file: string, name: string): Command;
    /** Copies the far side's `name` to a local file. */
    get(name: string, file: string): Command;
    /** Copies a local directory to the far side, into its directory `name`. */
    putTree(directory: string, name: string): Command;
    /** Copies the far side's directory `name` into a local one. */
    getTree(name: string, directory: string): Command;
  };
  /** Processes whose memory counts, by name. */
  processes(): Readonly<Record<string, number>>;
}

/** `rttMs` 0 is loopback as it is, without the proxy. */
export type MakeTarget = (scope: Scope, rttMs: number) => Promise<Target>;

export const plainDisk: MakeTarget = async (scope) => {
  const directory = temporaryDirectory(scope);
  return {
    name: 'disk',
    directory,
    remount: async () => undefined,
    second: { mount: async () => directory, unmount: async () => undefined },
    transfer: {
      put: (file, name) => ['cp', file, path.join(directory, name)],
      get: (name, file) => ['cp', path.join(directory, name), file],
      putTree: (from, name) => ['cp', '-r', from, path.join(directory, name)],
      getTree: (name, to) => ['cp', '-r', path.join(directory, name), to],
    },
    processes: () => ({}),
  };
};

export const sshfs: MakeTarget = async (scope, rttMs) => {
  const ssh = await startOpenSsh(scope);
  const port = rttMs === 0 ? ssh.port : (await startProxy(scope, ssh.port, rttMs)).port;
  const far = temporaryDirectory(scope);
  const mountpoint = path.join(temporaryDirectory(scope), 'mnt');
  mkdirSync(mountpoint);
  scope.teardown(() => forceUnmount(mountpoint));
  const at = `${ssh.user}@127.0.0.1:`;
  let service: Service | undefined;
  const mount = async (): Promise<void> => {
    const mounting = new Service(
      scope,
      'sshfs',
      ['-f', '-p', String(port), ...ssh.options, `${at}${far}`, mountpoint],
      { mountpoint },
    );
    if (!(await untilMounted(mountpoint, () => mounting.ended, PATIENCE_MS)))
      throw new Error(`sshfs did not mount:\n${mounting.output}`);
    await succeed('stat', [mountpoint]);
    service = mounting;
  };
  await mount();
  const scp: Command = ['scp', '-q', '-P', String(port), ...ssh.options];
  return {
    name: 'sshfs',
    directory: mountpoint,
    remount: async () => {
      await succeed('fusermount3', ['-u', mountpoint]);
      await service?.ends();
      await mount();
    },
    backing: far,
    transfer: {
      put: (file, name) => [...scp, file, `${at}${path.join(far, name)}`],
      get: (name, file) => [...scp, `${at}${path.join(far, name)}`, file],
      putTree: (from, name) => [...scp, '-r', from, `${at}${path.join(far, name)}`],
      getTree: (name, to) => [...scp, '-r', `${at}${path.join(far, name)}`, to],
    },
    processes: () => ({ sshfs: service?.pid ?? NaN }),
  };
};

/** rsync over ssh; what is on the far side's disk is looked at in `directory`. */
export const rsync: MakeTarget = async (scope, rttMs) => {
  const ssh = await startOpenSsh(scope);
  const port = rttMs === 0 ? ssh.port : (await startProxy(scope, ssh.port, rttMs)).port;
  const directory = temporaryDirectory(scope);
  const at = (name: string): string => `${ssh.user}@127.0.0.1:${path.join(directory, name)}`;
  const command: Command = ['rsync', '-e', ['ssh', '-p', String(port), ...ssh.options].join(' ')];
  return {
    name: 'rsync',
    directory,
    remount: async () => undefined,
    transfer: {
      put: (file, name) => [...command, file, at(name)],
      get: (name, file) => [...command, at(name), file],
      putTree: (from, name) => [...command, '-r', from, at(name)],
      getTree: (name, to) => [...command, '-r', at(name), to],
    },
    processes: () => ({}),
  };
};

/** For how long the kernel may believe the driver alone (milliseconds): for ever, as under a lease. */
const FOR_EVER_MS = 24 * 3_600_000;

/**
 * ftpmount's driver over a file system in memory: what the kernel's protocol costs in JavaScript, at any distance. It cannot
 * forget: cold is what the kernel forgets.
 */
export const floor: MakeTarget = async (scope) => {
  const defaultPermissions = process.geteuid?.() !== 0;
  const served = new Served(scope, process.getuid?.() ?? 0, { validMs: FOR_EVER_MS, defaultPermissions });
  await served.report('ready');
  return {
    name: 'floor',
    directory: served.mountpoint,
    remount: async () => undefined,
    processes: () => ({}),
  };
};

const USER = 'bench';

export const ftpmount: MakeTarget = (scope, rttMs) => mountedHome(scope, rttMs, 'ftpmount');
export const ftpmountNolease: MakeTarget = (scope, rttMs) =>
  mountedHome(scope, rttMs, 'nolease', ['-o', 'nolease']);

async function mountedHome(
  scope: Scope,
  rttMs: number,
  name: string,
  args: readonly string[] = [],
): Promise<Target> {
  const daemon = await startDaemon(scope, { users: { [USER]: { quota: '64G' } } });
  const port = rttMs === 0 ? daemon.port : (await startProxy(scope, daemon.port, rttMs)).port;
  const mount = (): Promise<Mounted> => mountHome(scope, daemon, USER, { port, args });
  let mounted = await mount();
  let second: Mounted | undefined;
  // With a key, as scp logs in: a password would add the time of its hash, 0.3 s, to each transfer.
  const { stdout: publicKey } = await daemon.ftpctl(['keygen']);
  await daemon.ftpctl(['key', 'add', USER, publicKey.trim()]);
  const login = ['-p', String(port), '--accept-new', '--no-resume'];
  const ftpctl = (...args: string[]): Command => [
    'env',
    `XDG_CONFIG_HOME=${daemon.clientConfig}`,
    `XDG_STATE_HOME=${daemon.clientState}`,
    'XDG_RUNTIME_DIR=/dev/null',
    process.execPath,
    programs.ftpctl,
    ...args,
    ...login,
  ];
  return {
    name,
    get directory() {
      return mounted.mountpoint;
    },
    remount: async () => {
      await mounted.unmount();
      mounted = await mount();
    },
    second: {
      mount: async () => (second ??= await mount()).mountpoint,
      unmount: async () => {
        await second?.unmount();
        second = undefined;
      },
    },
    backing: daemon.home(USER),
    transfer: {
      put: (file, name) => ftpctl('put', file, daemon.at(USER, name)),
      get: (name, file) => ftpctl('get', daemon.at(USER, name), file),
      putTree: (from, name) => ftpctl('put', '-r', '-q', from, daemon.at(USER, name)),
      getTree: (name, to) => ftpctl('get', '-r', '-q', daemon.at(USER, name), to),
    },
    processes: () => ({ ftpmountd: daemon.service.pid, ftpmount: mounted.service.pid }),
  };
}

/** The most memory the process ever had resident, in bytes (proc(5), VmHWM). */
export function peakResident(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return match ? Number(match[1]) * 1024 : NaN;
}
