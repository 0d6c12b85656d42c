/*
 * What the operations of the suite are made of. Programs that they run are children: what they see of the file system
 * goes the same way as what this process sees.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

/** Works in an empty directory of its own; throws where the file system does something else than POSIX says. */
export type Operation = (directory: string) => void;

export function fails(code: string, operation: () => unknown): void {
  assert.throws(operation, { code });
}

export function read(file: string | Buffer): string {
  return fs.readFileSync(file, 'utf8');
}

/** Runs a program that has to succeed; returns its output. */
export function command(directory: string, program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: directory, encoding: 'utf8' });
  if (error) throw error;
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Opens, gives the descriptor away and closes, whatever happens. */
export function withFile<T>(file: string, flags: string | number, work: (fd: number) => T, mode = 0o644): T {
  const fd = fs.openSync(file, flags, mode);
  try {
    return work(fd);
  } finally {
    fs.closeSync(fd);
  }
}
