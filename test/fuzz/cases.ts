/*
 * Runs one property with many random inputs. CASES=1000000 in the environment runs it for as long, SEED=n repeats a run; what
 * fails is told with a seed of its own, which with CASES=1 repeats that case alone.
 */
import t, { type Test } from 'tap';
import { randomFrom, seedOfRun, type Random } from '../lib/random.js';

/** How many where nothing is said: so few that a run takes some seconds. */
const CASES = Number(process.env['CASES'] ?? 4000);
/** Others have their turn after so many cases. */
const AT_ONCE = 256;
/** For a million cases, on a busy machine (milliseconds). */
const TIMEOUT_MS = 2 * 3600 * 1000;

/** Fails with the first input with which `property` throws. `share`: of the cases, for one that takes long. */
export function fuzz(title: string, property: (random: Random) => void, share = 1): Promise<unknown> {
  return t.test(title, { timeout: TIMEOUT_MS }, async (t) => {
    const seed = seedOfRun();
    const cases = Math.ceil(CASES * share);
    for (let i = 0; i < cases; i++) {
      if (i % AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
      try {
        property(randomFrom(seed + i));
      } catch (error) {
        return failed(t, seed + i, error);
      }
    }
    t.pass(`${cases} cases from seed ${seed}`);
  });
}

function failed(t: Test, seed: number, error: unknown): void {
  t.error(error, `SEED=${seed} CASES=1 repeats it`);
}
