/*
 * The checkout that is packaged: its root, its package.json, and the programs.
 */
import { cpSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProgramName } from '../program/location.js';

/** This file is dist/packaging/checkout.js in it. */
export const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));

/** Where the build puts the programs in it (bundle.ts). */
export const PROGRAMS = 'dist/programs';

/** Where it puts one. */
export function placeOf(program: ProgramName): string {
  return `${PROGRAMS}/${program}.cjs`;
}

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

/** Puts the programs in `directory`, where they are in the checkout. */
export function copyPrograms(directory: string): void {
  cpSync(path.join(CHECKOUT, PROGRAMS), path.join(directory, PROGRAMS), { recursive: true });
}
