/*
 * Temporary directories of a scope: under the system's temporary directory, gone with the scope. `rm` runs as a
 * process of its own with --one-file-system: it stops at a mount that was left behind and never hangs this process.
 */
import { chmodSync, chownSync, mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './run.js';
import type { Scope } from './scope.js';

/** Owner of a directory made for another user. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Makes an empty directory (0700; with an owner it is that user's) and returns its absolute path. */
export function temporaryDirectory(scope: Scope, owner?: Owner): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'ftpmount-'));
  if (owner) {
    chownSync(directory, owner.uid, owner.gid);
    chmodSync(directory, 0o700);
  }
  scope.teardown(() => run('rm', ['-rf', '--one-file-system', directory], { timeoutMs: 60_000 }));
  return directory;
}
