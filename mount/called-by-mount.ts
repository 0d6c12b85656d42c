/*
 * ftpmount as mount(8) starts it for the file system type ftpmount: by the name mount.ftpmount, with flags that mean
 * something else than those of ftpmount.
 */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure } from '../protocol/failure.js';

const HELPER_NAME = 'mount.ftpmount';

/** As mount(8) gives them: sloppy, fake (nothing is to be mounted), no mtab, verbose, namespace, type. */
const FLAGS = {
  s: { type: 'boolean', short: 's' },
  f: { type: 'boolean', short: 'f' },
  n: { type: 'boolean', short: 'n' },
  v: { type: 'boolean', short: 'v' },
  N: { type: 'string', short: 'N' },
  t: { type: 'string', short: 't' },
  o: { type: 'string', short: 'o', multiple: true },
} as const;

/** Whether a process with this argv is mount(8)'s helper. */
export function isCalledByMount([, program = '']: readonly string[]): boolean {
  return basename(program) === HELPER_NAME;
}

/** The command line of ftpmount for one of mount(8); undefined where nothing is to be done. Throws USAGE. */
export function argumentsOfMount(args: readonly string[]): string[] | undefined {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
    if (values.f === true) return undefined;
    return [...positionals, ...(values.o ?? []).flatMap((options) => ['-o', options])];
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('. '); // Then come hints.
    throw new Failure('USAGE', `${reason}: ${HELPER_NAME} is for mount(8)`, { cause: error });
  }
}
