/*
 * How many descriptors the process may have, how many of them what clients have open may take, and whether that is as many
 * as the settings need: better told at the start than found out by the clients that are refused. node raises the soft limit to
 * the hard one by itself.
 *
 * All homes together leave a reserve: for connections, and for what a call opens and closes again, as syncs do. The kernel
 * gives the lowest number that is free. So a descriptor's number tells how many there are at least, of all threads together,
 * and nothing need be counted (ConfinedTree.requireDescriptor).
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
  const needed = reserve(config) + config['max-open-files'];
  return needed > limit ? { limit, needed } : undefined;
}

/** The number from which on a descriptor is not for what clients keep open. */
export function firstReserved(config: Config): number {
  const limit = descriptorLimit();
  // Also where the limit is far too low something can be opened.
  return Math.max(limit - reserve(config), Math.floor(limit / 2));
}

function reserve(config: Config): number {
  const connections = config['max-sessions'] + config['max-queue'] + config['max-unauthenticated'];
  return OWN + connections + PER_SESSION * config['max-sessions'];
}
