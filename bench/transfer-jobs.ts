/*
 * One large file, and many small ones, there and back by a command of each target.
 */
import path from 'node:path';
import { succeed } from '../test/lib/run.js';
import type { Fixtures } from './fixtures.js';
import { settle, STEP_TIMEOUT_MS, type Job } from './job.js';
import type { Command, Target } from './targets.js';

/** The names of the jobs. */
export const TRANSFERS: readonly string[] = ['put', 'get', 'put-many', 'get-many'];

const NAME = 'large';
const TREE = 'trees';

export function transferJobs({ large, many, counts }: Fixtures): Job[] {
  const back = `${large}.back`;
  const suits = ({ transfer }: Target): boolean => transfer !== undefined;
  return [
    {
      name: 'put',
      title: 'put 1 GiB (cp, scp, rsync, ftpctl)',
      suits,
      async time(target) {
        const { put } = transferOf(target);
        await succeed('rm', ['-f', path.join(target.directory, NAME)]);
        return timed(put(large, NAME));
      },
    },
    {
      name: 'get',
      title: 'get 1 GiB (cp, scp, rsync, ftpctl)',
      suits,
      async time(target) {
        const { put, get } = transferOf(target);
        await timed(put(large, NAME));
        await succeed('rm', ['-f', back]);
        const seconds = await timed(get(NAME, back));
        await succeed('cmp', [large, back], { timeoutMs: STEP_TIMEOUT_MS });
        return seconds;
      },
    },
    {
      name: 'put-many',
      title: `put ${counts.many} files of 4 KiB`,
      suits,
      async time(target) {
        await makeEmpty(path.join(target.directory, TREE));
        const seconds = await timed(transferOf(target).putTree(many, TREE));
        await succeed('diff', ['-r', many, path.join(target.directory, TREE, path.basename(many))]);
        return seconds;
      },
    },
    {
      name: 'get-many',
      title: `get ${counts.many} files of 4 KiB`,
      suits,
      async time(target) {
        const { putTree, getTree } = transferOf(target);
        await makeEmpty(path.join(target.directory, TREE));
        await timed(putTree(many, TREE));
        const to = `${many}.back`;
        await makeEmpty(to);
        const seconds = await timed(getTree(path.join(TREE, path.basename(many)), to));
        await succeed('diff', ['-r', many, path.join(to, path.basename(many))]);
        return seconds;
      },
    },
  ];
}

async function makeEmpty(directory: string): Promise<void> {
  await succeed('rm', ['-rf', directory], { timeoutMs: STEP_TIMEOUT_MS });
  await succeed('mkdir', [directory]);
}

function transferOf({ name, transfer }: Target): NonNullable<Target['transfer']> {
  if (transfer === undefined) throw new Error(`${name} has no command for transfers`);
  return transfer;
}

async function timed([program, ...args]: Command): Promise<number> {
  await settle();
  const start = performance.now();
  await succeed(program, args, { timeoutMs: STEP_TIMEOUT_MS });
  return (performance.now() - start) / 1000;
}
