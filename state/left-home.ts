/*
 * What is left of a home whose user, or share, was removed without it: it is not handed over to a later one of the name unless that
 * is asked for.
 */
import { readdir } from 'node:fs/promises';
import { Failure } from '../protocol/failure.js';

/** EEXIST where there is something. */
export async function refuseLeftHome(home: string, name: string): Promise<void> {
  try {
    if ((await readdir(home)).length === 0) return;
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind === 'ENOENT') return;
    // Neither a directory, nor nothing: the daemon would refuse it.
    if (failure.kind !== 'ENOTDIR') throw failure;
  }
  const text = `${home} holds files of an earlier ${name}: remove it, or hand it over with --adopt`;
  throw new Failure('EEXIST', text);
}
