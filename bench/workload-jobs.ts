/*
 * The workloads as jobs: each phase in a process of its own, as one that serves a mount must never touch it, and the cold
 * ones with nothing cached but at the server, as it is for a user whose server serves others, too.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { succeed } from '../test/lib/run.js';
import type { Fixtures } from './fixtures.js';
import { settle, STEP_TIMEOUT_MS, type Job } from './job.js';
import type { Target } from './targets.js';
import { sharing } from './sharing.js';
import { workloads, type Workload } from './workloads.js';

const PROCESS = fileURLToPath(new URL('./workload-process.js', import.meta.url));
/** Reads all files of a tree, and all inodes. */
const READ_ALL = 'find "$1" -type f -exec cat {} + >/dev/null; find "$1" -ls >/dev/null';

export function workloadJobs(fixtures: Fixtures): Job[] {
  return [...workloads, ...sharing].map((workload) => ({
    name: workload.name,
    title: workload.title(fixtures.counts),
    suits: (target) => workload.second === undefined || target.second !== undefined,
    async time(target) {
      const second = workload.second === true ? await target.second?.mount() : await target.second?.unmount();
      await phase(workload, 'prepare', target, fixtures, second ?? '');
      if (workload.after !== 'at once') await settle();
      if (workload.after === 'cold') await forgetAll(target);
      return phase(workload, 'work', target, fixtures, second ?? '');
    },
  }));
}

async function phase(
  { name }: Workload,
  which: 'prepare' | 'work',
  { directory }: Target,
  fixtures: Fixtures,
  second: string,
): Promise<number> {
  const args = [PROCESS, name, which, directory, second, JSON.stringify(fixtures)];
  return Number(await succeed(process.execPath, args, { timeoutMs: STEP_TIMEOUT_MS }));
}

async function forgetAll(target: Target): Promise<void> {
  dropCaches();
  if (target.backing !== undefined)
    await succeed('sh', ['-c', READ_ALL, 'sh', target.backing], { timeoutMs: STEP_TIMEOUT_MS });
  await target.remount();
}

/** The page cache, names and inodes (proc(5), drop_caches); only root can, else cold means remounted. */
function dropCaches(): void {
  if (process.geteuid?.() === 0) writeFileSync('/proc/sys/vm/drop_caches', '3');
}
