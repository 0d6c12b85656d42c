/**
 * Directories of this machine, as a get finds and makes them.
 */
import { lstatSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { Failure } from '../../protocol/failure.js';
import { displayName, lastComponent } from '../names.js';

/** Whether a directory is here, behind a symlink only where that `isDestination`. ENOTDIR: something else is. */
export function isDirectoryHere(path: Buffer, isDestination: boolean): boolean {
  const status = (isDestination ? statSync : lstatSync)(path, { throwIfNoEntry: false });
  if (status?.isDirectory() === false) {
    throw new Failure('ENOTDIR', `${displayName(path)} is not a directory here`);
  }
  return status !== undefined;
}

/** Whether something else than a directory is here. */
export function isOtherHere(path: Buffer): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
}

export async function isLocalDirectory(path: Buffer): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (Failure.from(error).kind === 'ENOENT') return false;
    throw error;
  }
}

/** Whether it was missing. */
export async function makeIfMissing(directory: Buffer): Promise<boolean> {
  try {
    await mkdir(directory);
    return true;
  } catch (error) {
    if (Failure.from(error).kind !== 'EEXIST' || !(await isLocalDirectory(directory))) throw error;
    return false;
  }
}

/** The directory that a local path is in. */
export function parentOf(path: Buffer): Buffer {
  const name = lastComponent(path);
  if (name.length === 0) return path;
  const start = path.lastIndexOf(name);
  return path.subarray(0, start);
}
