/*
 * Which directory of homes belongs to which state: the same random id in both. A disk that is not mounted, or another --home,
 * would else be served as homes that are empty, and what is charged be wrong.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../protocol/failure.js';
import type { State } from './store.js';

/** In the directory of homes; no user can have this name. */
const MARKER = '.ftpmountd';
const ID_BYTES = 16;

/** What is needed of the state. */
export type MarkedState = Pick<State, 'homes' | 'homesId'>;

/** At the daemon's start: notes that the homes of this state are there. EINVAL where they are not, and what to do. */
export function requireHomes(state: MarkedState, directory: string): void {
  const found = readMarker(directory);
  if (found === undefined && state.homesId === undefined) return adoptHomes(state, directory);
  requireOwn(state, found, directory);
  state.homes = directory;
}

/** Before something is concluded from a home that is not there. EINVAL where the homes of this state are not, and what to do. */
export function requireKnownHomes(state: MarkedState, directory: string): void {
  if (state.homesId !== undefined) requireOwn(state, readMarker(directory), directory);
}

function requireOwn(state: MarkedState, found: string | undefined, directory: string): void {
  if (found === state.homesId) return;
  const what =
    found === undefined
      ? `${directory} does not hold the homes of this state (is its disk mounted?)`
      : `${directory} holds the homes of another state`;
  throw new Failure('EINVAL', `${what}: if it is to have them from now on, ftpctl adopt ${directory}`);
}

/** From now on the homes of this state are in this directory. */
export function adoptHomes(state: MarkedState, directory: string): void {
  const id = state.homesId ?? randomBytes(ID_BYTES).toString('hex');
  const path = join(directory, MARKER);
  writeDurably(`${path}.new`, `${id}\n`);
  renameSync(`${path}.new`, path);
  sync(directory);
  state.homesId = id;
  state.homes = directory;
}

function readMarker(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, MARKER), 'latin1').trim();
  } catch (error) {
    if (Failure.from(error).kind === 'ENOENT') return undefined;
    throw error;
  }
}

function writeDurably(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  sync(path);
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
