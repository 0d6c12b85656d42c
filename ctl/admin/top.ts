/**
 * `ftpctl top [--once] [--json]`: what the running daemon does, again and again on a terminal until q is typed; elsewhere, or
 * with --once, of one interval.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { writeOut } from '../output/stdout.js';
import { Screen } from '../output/screen.js';
import { activityBetween, type Look } from './activity.js';
import { activityLines } from './activity-view.js';
import { requireDaemon } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface TopOptions extends StateOptions {
  readonly once?: boolean;
  readonly json?: boolean;
}

/** From look to look; workers that do not answer take as long again (milliseconds). */
const INTERVAL_MS = 2000;
/** Of the only one. */
const ONCE_MS = 1000;
const UNBOUNDED = { columns: Infinity, rows: Infinity };

/** Returns the exit code. */
export async function top(options: TopOptions): Promise<number> {
  if (options.json === true || options.once === true || !process.stdout.isTTY) return showOnce(options);
  const before = await look(options);
  await showAgain(before, options);
  return 0;
}

async function showOnce(options: TopOptions): Promise<number> {
  const before = await look(options);
  await wait(ONCE_MS);
  const activity = activityBetween(before, await look(options));
  const text =
    options.json === true
      ? JSON.stringify(activity)
      : activityLines(activity, Date.now(), UNBOUNDED).join('\n');
  await writeOut(`${text}\n`);
  return 0;
}

async function showAgain(first: Look, options: TopOptions): Promise<void> {
  const quit = new AbortController();
  let activity = activityBetween(first, { ...first, at: first.at + INTERVAL_MS });
  const draw = (): void => screen.draw(activityLines(activity, Date.now(), screen.size));
  const screen = new Screen(
    () => quit.abort(),
    () => draw(),
  );
  try {
    draw();
    for (let before = first; await pause(quit.signal);) {
      const after = await look(options);
      activity = activityBetween(before, after);
      before = after;
      draw();
    }
  } finally {
    screen.close();
  }
}

async function look(options: TopOptions): Promise<Look> {
  const [status, measurements] = await Promise.all([
    requireDaemon(options, { type: 'status' }),
    requireDaemon(options, { type: 'measurements' }),
  ]);
  return { at: performance.now(), status, measurements };
}

/** Whether the time passed: not, where the person has seen enough. */
function pause(quit: AbortSignal): Promise<boolean> {
  return wait(INTERVAL_MS, true, { signal: quit }).catch(() => false);
}
