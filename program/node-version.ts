/*
 * The oldest node that can read the programs, said before any other of their files is loaded: an older one would stop at what
 * it does not know and print the source around it. Imports nothing, and is written as an old node reads it.
 */

/** As in package.json. */
const OLDEST = { major: 20, minor: 19 } as const;

/** Ends the process with 1, and one line, where its node is too old. */
export function requireNode(program: string): void {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return;
  const oldest = `${OLDEST.major}.${OLDEST.minor}`;
  process.stderr.write(`${program} needs Node ${oldest} or newer; this is Node ${node}\n`);
  process.exit(1);
}
