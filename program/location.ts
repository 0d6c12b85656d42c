/**
 * Where the programs and the scripts of their threads and processes are: in dist/programs, as packaging/bundle makes them, whether
 * who asks is one of these or a compiled module beside them.
 */
export type ProgramName =
  | 'argon2-thread'
  | 'background-process'
  | 'disk-thread'
  | 'ftpctl'
  | 'ftpmount'
  | 'ftpmountd'
  | 'master-process'
  | 'password-thread'
  | 'worker';

export function programFile(name: ProgramName): URL {
  return new URL(`../programs/${name}.cjs`, import.meta.url);
}
