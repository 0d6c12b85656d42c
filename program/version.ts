/** The version of the package that this program is of. */
import { existsSync, readFileSync } from 'node:fs';

/** The package.json, in the package's root: the compiled program is some directories below it. */
export const MANIFEST = findManifest();

export const VERSION = readVersion();

function findManifest(): URL | undefined {
  for (let url = new URL('.', import.meta.url); url.pathname !== '/'; url = new URL('..', url)) {
    const file = new URL('package.json', url);
    if (existsSync(file)) return file;
  }
  return undefined;
}

function readVersion(): string {
  if (MANIFEST === undefined) return 'unknown';
  return String((JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: unknown }).version);
}
