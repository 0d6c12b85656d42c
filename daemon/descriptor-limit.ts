/*
 * How many descriptors the process may have, and whether that is as many as its settings need: better told at the start than
 * found out by the clients that are refused. node raises the soft limit to the hard one by itself.
 */
import { readFileSync } from 'node:fs';
import type { Config } from './config.js';

/** Descriptors besides connections and open files: libraries, event loops, the state, logs. */
const OWN = 64;
/** Files that a session has open, as a guess: the home itself and what a mount works on. */
const PER_SESSION = 8;

/** RLIMIT_NOFILE; Infinity where there is none. */
export function descriptorLimit(): number {
  return Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity);
}

/** The limit and what the settings ask for, where that is more. */
export function descriptorShortage(config: Config): { limit: number; needed: number } | undefined {
  const limit = descriptorLimit();
  const connections = config['max-sessions'] + config['max-queue'] + config['max-unauthenticated'];
  const needed = OWN + connections + PER_SESSION * config['max-sessions'] + config['max-open-files'];
  return needed > limit ? { limit, needed } : undefined;
}
