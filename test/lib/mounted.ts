/*
 * A home mounted by a real ftpmount, as a process of its own (`-f`), as root or as another user. However the test
 * ends, the mount is gone afterwards: unmounted properly if that works, else detached and its connection aborted.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Daemon } from './daemon.js';
import { temporaryDirectory, type Owner } from './directory.js';
import { forceUnmount, mountAt, untilMounted } from './mounts.js';
import { programs } from './programs.js';
import { run, succeed, type RunOptions, type RunResult } from './run.js';
import type { Scope } from './scope.js';
import { PATIENCE_MS, Service, type Exit } from './service.js';

/** How long a mount may take to log out when a test ends (milliseconds). */
const LOGOUT_MS = 5_000;

export interface MountOptions {
  /** Directory of the home to mount. */
  readonly remotePath?: string;
  /** More arguments of ftpmount. */
  readonly args?: readonly string[];
  /** Mounts as this user, by fusermount3, and runs `mounted.run` as this user. */
  readonly as?: Owner;
  /** Reaches the daemon through this port: a proxy. */
  readonly port?: number;
}

export class Mounted {
  readonly mountpoint: string;
  readonly service: Service;
  readonly #as: Owner | undefined;
  readonly #env: NodeJS.ProcessEnv;

  constructor(mountpoint: string, service: Service, env: NodeJS.ProcessEnv, as: Owner | undefined) {
    this.mountpoint = mountpoint;
    this.service = service;
    this.#env = env;
    this.#as = as;
  }

  /** A path inside the mount. */
  path(...names: string[]): string {
    return path.join(this.mountpoint, ...names);
  }

  /** Runs a command in the mount's root as the user who mounted it. */
  run(command: string, args: readonly string[] = [], options: RunOptions = {}): Promise<RunResult> {
    return run(command, args, { cwd: this.mountpoint, env: this.#env, ...this.#as, ...options });
  }

  /** Like `run`; rejects with the output unless the command succeeds. Returns its standard output. */
  succeed(command: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
    return succeed(command, args, { cwd: this.mountpoint, env: this.#env, ...this.#as, ...options });
  }

  /** Waits until the server has, on its disk, all that was done in the mount. */
  async synced(): Promise<void> {
    await this.succeed('sync', ['.']);
  }

  #umount(): Promise<RunResult> {
    return this.#as
      ? run('fusermount3', ['-u', this.mountpoint], this.#as)
      : run('umount', [this.mountpoint]);
  }

  /** Unmounts as its user would (`umount` for root, else `fusermount3 -u`); the answer is how ftpmount ended. */
  async unmount(): Promise<Exit> {
    // Another test's df looks at each mount that there is: it is in use for a moment.
    while ((await this.#umount()).stderr.includes('busy'));
    return this.service.ends();
  }
}

/** Mounts the home of `user` and waits until it answers; it is unmounted with the scope. */
export async function mountHome(
  scope: Scope,
  daemon: Daemon,
  user: string,
  options: MountOptions = {},
): Promise<Mounted> {
  const { as } = options;
  const directory = temporaryDirectory(scope, as);
  const mountpoint = path.join(directory, 'mnt');
  await succeed('mkdir', [mountpoint], { ...as });
  const { env, login } = credentials(daemon, user, directory, as);
  const args = [...(await login), ...(options.port === undefined ? [] : ['-p', String(options.port)])];
  const service = new Service(
    scope,
    process.execPath,
    [
      programs.ftpmount,
      daemon.at(user, options.remotePath),
      mountpoint,
      '-f',
      ...args,
      ...(options.args ?? []),
    ],
    { env, mountpoint, cwd: '/', ...as },
  );
  const mounted = new Mounted(mountpoint, service, env, as);
  scope.teardown(async () => {
    // After a test that went well nothing is left to do here.
    if (mountAt(mountpoint)) await run('fusermount3', ['-u', mountpoint], { timeoutMs: 5_000 });
    // A mount that is killed before it has logged out keeps others of its home waiting for the term of its leases.
    await service.endsWithin(LOGOUT_MS);
    await forceUnmount(mountpoint);
  });
  if (!(await untilMounted(mountpoint, () => service.ended, PATIENCE_MS)))
    throw new Error(`ftpmount did not mount:\n${service.output}`);
  await mounted.succeed('stat', ['.']);
  return mounted;
}

/** Configuration and password file: the daemon's own for root, copies in `directory` for another user. */
function credentials(
  daemon: Daemon,
  user: string,
  directory: string,
  as: Owner | undefined,
): { env: NodeJS.ProcessEnv; login: Promise<string[]> } {
  if (!as) return { env: daemon.env, login: Promise.resolve(daemon.login(user)) };
  const config = path.join(directory, 'config');
  mkdirSync(config);
  const password = path.join(config, 'password');
  const copied = succeed('install', ['-m600', daemon.passwordFile(user), password])
    .then(() => succeed('chown', ['-R', `${as.uid}:${as.gid}`, config]))
    .then(() => ['-p', String(daemon.port), '--password-file', password, '--accept-new']);
  return { env: { ...process.env, HOME: directory, XDG_CONFIG_HOME: config }, login: copied };
}
