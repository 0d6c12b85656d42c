/*
 * Where the demo plays: a temporary directory with the daemon's state, the homes, the clients' configuration and a
 * mount point, and an environment in which the three programs are found by their names. Nothing outside of it is
 * touched, and `strike` takes all of it away.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { programFile } from '../program/location.js';

const PROGRAMS = ['ftpmountd', 'ftpmount', 'ftpctl'] as const;

export interface Stage {
  /** Every command runs here. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  /** Directory of the symlinks named as the programs. */
  readonly bin: string;
  /** Where alice's home is mounted, relative to the directory. */
  readonly mountpoint: string;
  /** Where lily's home is mounted through a long line, relative to the directory. */
  readonly farMountpoint: string;
  /** Why nothing can be mounted here, or undefined where it can. */
  readonly withoutMount: string | undefined;
}

export function setStage(): Stage {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'ftpmount-demo-'));
  const bin = path.join(directory, 'bin');
  for (const name of ['bin', 'config', 'home', 'state', 'mnt', 'far'])
    mkdirSync(path.join(directory, name), { mode: 0o700 });
  for (const name of PROGRAMS) symlinkSync(fileURLToPath(programFile(name)), path.join(bin, name));
  const env = {
    ...process.env,
    // Programs start with `env node`: the node that runs the demo comes first.
    PATH: [bin, path.dirname(process.execPath), process.env['PATH']].join(':'),
    XDG_CONFIG_HOME: path.join(directory, 'config'),
    XDG_STATE_HOME: path.join(directory, 'config'),
    // No directory for sockets: no session is left to a master.
    XDG_RUNTIME_DIR: '/dev/null',
    FTPMOUNT_STATE: path.join(directory, 'state'),
    LC_ALL: 'C.UTF-8',
    GIT_AUTHOR_NAME: 'lily',
    GIT_AUTHOR_EMAIL: 'lily@example.org',
    GIT_COMMITTER_NAME: 'lily',
    GIT_COMMITTER_EMAIL: 'lily@example.org',
  };
  return { directory, env, bin, mountpoint: 'mnt', farMountpoint: 'far', withoutMount: withoutMount() };
}

/** Unmounts what is still mounted and removes the directory. */
export function strike(stage: Stage): void {
  for (const name of [stage.mountpoint, stage.farMountpoint]) {
    const mountpoint = path.join(stage.directory, name);
    if (!readFileSync('/proc/self/mounts', 'utf8').includes(` ${mountpoint} `)) continue;
    const unmounted = spawnSync('fusermount3', ['-u', mountpoint], { stdio: 'ignore' });
    if (unmounted.status !== 0) spawnSync('umount', ['-l', mountpoint], { stdio: 'ignore' });
  }
  spawnSync('rm', ['-rf', '--one-file-system', stage.directory], { stdio: 'inherit' });
}

function withoutMount(): string | undefined {
  try {
    // Opened, not only looked at: inside containers its device number may be refused.
    closeSync(openSync('/dev/fuse', 'r+'));
  } catch {
    return 'there is no /dev/fuse that you may use';
  }
  if (spawnSync('fusermount3', ['--version'], { stdio: 'ignore' }).status !== 0)
    return 'fusermount3 is not installed (package fuse3)';
  return undefined;
}
