/*
 * The checkout that is packaged: its root, its package.json, and the product in its dist/, without tests and tools.
 */
import { cpSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** This file is dist/packaging/checkout.js in it. */
export const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));

/** Layers of the sources that are not the product. */
const TOOLS: ReadonlySet<string> = new Set(['bench', 'demo', 'packaging', 'test']);

/** A package.json, of this package or of one in node_modules; what is read of it. */
export interface Manifest extends Record<string, unknown> {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8')) as Manifest;
}

/** Puts the compiled programs in `directory`/dist. Source maps tell nothing without the sources. */
export function copyPrograms(directory: string): void {
  const dist = path.join(CHECKOUT, 'dist');
  cpSync(dist, path.join(directory, 'dist'), {
    recursive: true,
    filter: (file) => {
      const [layer = ''] = path.relative(dist, file).split(path.sep);
      return !TOOLS.has(layer) && !file.endsWith('.map');
    },
  });
}
