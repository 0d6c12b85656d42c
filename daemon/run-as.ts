/*
 * Giving up root: a daemon that root starts becomes an ordinary user before it opens or makes anything, so that whoever takes
 * it over has what that user has.
 *
 * Invariant: the directories that the daemon works on, and the files of the state, belong to the user it becomes, or it does not
 * start: a state that is closed to its daemon would show as errors of users, one by one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lchownSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from '../protocol/failure.js';
import { statePaths, SYSTEM_STATE } from '../state/directory.js';

/** Whom the package makes. */
const PACKAGE_USER = 'ftpmount';

interface Directories {
  readonly stateDirectory: string;
  readonly homes: string;
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/**
 * Becomes `user`; where none is named, root becomes `ftpmount` if there is such a user and the state is the system's, as with the
 * package. Makes the directories where they are missing, as only root may.
 * USAGE: no such user, or one that only root can become; EACCES: a directory belongs to another.
 */
export function runAs(user: string | undefined, { stateDirectory, homes }: Directories): void {
  const uid = process.geteuid?.() ?? 0;
  if (user === undefined && (uid !== 0 || stateDirectory !== SYSTEM_STATE)) return;
  const name = user ?? PACKAGE_USER;
  const ids = idsOf(name);
  if (ids === undefined) {
    if (user === undefined) return;
    throw new Failure('USAGE', `--user ${user}: there is no such user`);
  }
  if (ids.uid === uid) return;
  if (uid !== 0) throw new Failure('USAGE', `--user ${name}: only root can become another user`);
  for (const directory of [stateDirectory, homes]) {
    makeFor(ids, directory);
    requireOwner(ids, directory, directory, name);
  }
  for (const path of Object.values(statePaths(stateDirectory))) requireOwner(ids, path, stateDirectory, name);
  process.setgroups?.([...ids.groups]);
  process.setgid?.(ids.gid);
  process.setuid?.(ids.uid);
}

/** By id(1), which asks whatever the system knows users from. */
function idsOf(name: string): Ids | undefined {
  const ask = (what: '-u' | '-g' | '-G'): number[] => {
    const { status, stdout } = spawnSync('id', [what, '--', name], { encoding: 'utf8' });
    return status === 0 ? stdout.trim().split(' ').map(Number) : [];
  };
  const [[uid], [gid], groups] = [ask('-u'), ask('-g'), ask('-G')];
  return uid === undefined || gid === undefined ? undefined : { uid, gid, groups };
}

/**
 * Makes a directory that is missing; parents stay root's, but can be passed. Not below a directory that is not root's: its owner
 * could put a link there for root to follow, and the daemon makes itself what that user may make.
 */
function makeFor({ uid, gid }: Ids, directory: string): void {
  if (existsSync(directory) || !isRootsOwn(dirname(directory))) return;
  mkdirSync(dirname(directory), { recursive: true, mode: 0o755 });
  mkdirSync(directory, { mode: 0o700 });
  lchownSync(directory, uid, gid);
}

/** What there is of the path, links not followed. */
function isRootsOwn(path: string): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status !== undefined && (status.uid !== 0 || !status.isDirectory())) return false;
  return path === '/' || isRootsOwn(dirname(path));
}

/** `directory`: which is to be given to the user, with what is in it. */
function requireOwner({ uid }: Ids, path: string, directory: string, name: string): void {
  const owner = ownerOf(path);
  if (owner === undefined || owner === uid) return;
  throw new Failure(
    'EACCES',
    `${path} belongs to uid ${owner}, and the daemon is to run as ${name}: ` +
      `chown -R ${name}: ${directory}, or say --user root`,
  );
}

function ownerOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.uid;
}
