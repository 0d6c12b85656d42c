/*
 * One large file there and back by a command of each target.
 */
import path from 'node:path';
import { succeed } from '../test/lib/run.js';
import type { Fixtures } from './fixtures.js';
import { settle, STEP_TIMEOUT_MS, type Job } from './job.js';
import type { Command, Target } from './targets.js';

/** The names of the jobs. */
export const TRANSFERS: readonly string[] = ['put', 'get'];

const NAME = 'large';

export function transferJobs({ large }: Fixtures): Job[] {
  const back = `${large}.back`;
  const suits = ({ transfer }: Target): boolean => transfer !== undefined;
  return [
    {
      name: 'put',
      title: 'put 1 GiB (cp, scp, ftpctl)',
      suits,
      async time(target) {
        const { put } = transferOf(target);
        await succeed('rm', ['-f', path.join(target.directory, NAME)]);
        return timed(put(large, NAME));
      },
    },
    {
      name: 'get',
      title: 'get 1 GiB (cp, scp, ftpctl)',
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
  ];
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
