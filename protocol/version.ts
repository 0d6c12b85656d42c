/** The version of the package that this program is of. */
import { existsSync, readFileSync } from 'node:fs';

/** The package.json is in the package's root, the compiled program some directories below it. */
function readVersion(): string {
  for (let url = new URL('.', import.meta.url); url.pathname !== '/'; url = new URL('..', url)) {
    const file = new URL('package.json', url);
    if (existsSync(file))
      return String((JSON.parse(readFileSync(file, 'utf8')) as { version: unknown }).version);
  }
  return 'unknown';
}

export const VERSION = readVersion();
