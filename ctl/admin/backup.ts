/**
 * `ftpctl backup DIR`: accounts, key and homes of a server into a new directory, while it serves. DIR gets
 *
 *   server.key       the server's identity
 *   homes/NAME.tar   what is in each user's home, homes/+NAME.tar what is in each share
 *   state.lmdb       accounts, groups, shares, limits, and how far uploads are
 *
 * Invariants: the state is copied first, at one moment, and gets its name last. So what it says of partial uploads is never more
 * than the homes hold, and a directory without state.lmdb is no whole backup. A file is as it was at some moment while its home was
 * copied; one that is written meanwhile may be there in part. What the daemon keeps for itself in a home is about inodes, and left
 * out.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  lchownSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Failure } from '../../protocol/failure.js';
import type { HomeName } from '../../protocol/ids.js';
import { errnoText, printable } from '../../program/report.js';
import { fd } from '../../posix/fd.js';
import { syncfs } from '../../posix/files.js';
import { OWN_NAMES, RESERVED_NAME } from '../../state/home-layout.js';
import { homesOf } from '../../state/home-list.js';
import { requireKnownHomes } from '../../state/homes-marker.js';
import { formatSize } from '../../state/sizes.js';
import type { State } from '../../state/store.js';
import { writeOut } from '../output/stdout.js';
import { stateDirectory, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface BackupOptions extends StateOptions {
  /** False: only the state. */
  readonly homes: boolean;
}

/** Its times are exact, and it keeps attributes, where virtual owners are; what is sparse stays so. */
const TAR = [
  '--create',
  '--format=posix',
  '--xattrs',
  '--xattrs-include=user.*',
  '--sparse',
  '--no-wildcards',
];
const EXCLUDED = Object.values(OWN_NAMES).map((name) => `--exclude=./${RESERVED_NAME}/${name}`);
/** Of tar: files changed or vanished while they were read. */
const CHANGED_MEANWHILE = 1;
const PRIVATE_MODE = 0o600;

/** Returns the exit code. */
export async function backup(text: string, options: BackupOptions): Promise<number> {
  const directory = resolve(text);
  makeFor(stateDirectory(options), directory);
  await withState(options, 'read', async (state) => {
    process.umask(0o077);
    const database = join(directory, basename(state.paths.database));
    const partial = `${database}.partial`;
    await state.copyTo(partial);
    chmodSync(partial, PRIVATE_MODE);
    if (existsSync(state.paths.serverKey)) {
      copyFileSync(state.paths.serverKey, join(directory, basename(state.paths.serverKey)));
    }
    if (options.homes) await backUpHomes(state, join(directory, 'homes'));
    sync(directory);
    renameSync(partial, database);
    sync(directory);
    await writeOut(`backed up in ${directory}\n`);
  });
  return 0;
}

/** Makes the directory; it is whose the state is, as who works on the state is (state-access.ts). */
function makeFor(state: string, directory: string): void {
  const owner = statSync(state, { throwIfNoEntry: false });
  try {
    mkdirSync(directory, { mode: 0o700 });
    if (owner !== undefined && process.geteuid?.() === 0) lchownSync(directory, owner.uid, owner.gid);
  } catch (error) {
    const { kind, code } = Failure.from(error);
    throw new Failure(kind, `${directory} cannot be made (${errnoText(code)}): name a new directory`, {
      cause: error,
    });
  }
}

async function backUpHomes(state: State, into: string): Promise<void> {
  const { homes } = state;
  mkdirSync(into);
  if (homes === undefined) return; // no daemon ran yet
  requireKnownHomes(state, homes);
  for (const { name } of homesOf(state)) {
    const home = join(homes, name);
    if (existsSync(home)) await backUpHome(name, home, join(into, `${name}.tar`));
  }
}

async function backUpHome(name: HomeName, home: string, file: string): Promise<void> {
  const archive = openSync(file, 'wx', PRIVATE_MODE);
  try {
    const said = await archiveOf(home, archive);
    await writeOut(`${name} ${formatSize(fstatSync(archive).size)}${said}\n`);
  } finally {
    closeSync(archive);
  }
}

/** Writes the archive of a directory. What of it changed meanwhile is returned, for reading. Throws what tar says. */
async function archiveOf(home: string, archive: number): Promise<string> {
  // As who called this, if root: there may be files whose modes keep their owner out.
  const uid = process.getuid?.();
  const tar = spawn('tar', [...TAR, ...EXCLUDED, '--directory', home, '.'], {
    stdio: ['ignore', archive, 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
    ...(uid === 0 ? { uid } : {}),
  });
  const saying = tar.stderr === null ? '' : text(tar.stderr);
  const [said, [code]] = await Promise.all([saying, once(tar, 'close')]).catch((error: unknown) => {
    throw new Failure('ENOENT', `tar cannot be run: ${Failure.from(error).code}`, { cause: error });
  });
  const lines = said.trim().split('\n');
  if (code === 0) return '';
  if (code === CHANGED_MEANWHILE) return `, changed meanwhile: ${lines.length} files`;
  throw new Failure('EIO', `${home} could not be backed up: ${printable(lines[0] ?? '')}`);
}

function sync(directory: string): void {
  const opened = openSync(directory, 'r');
  try {
    syncfs(fd(opened));
  } finally {
    closeSync(opened);
  }
}
