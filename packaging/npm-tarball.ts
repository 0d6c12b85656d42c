/*
 * The tarball for `npm install -g FILE`: the programs, and a shrinkwrap that pins what they depend on. What only a checkout
 * needs is in neither.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT, copyPrograms, PROGRAMS, readManifest } from './checkout.js';

const SHRINKWRAP = 'npm-shrinkwrap.json';
const DOCUMENTS = ['README.md', 'CHANGELOG.md', 'LICENSE', 'protocol.md'] as const;

/** An entry of package-lock.json; what is read of it. */
interface Locked extends Record<string, unknown> {
  readonly dev?: boolean;
}

interface Lock extends Record<string, unknown> {
  readonly packages: Readonly<Record<string, Locked>>;
}

/** Makes it in `directory`, from a tree in `scratch`. Returns its path. */
export function makeNpmTarball(directory: string, scratch: string): string {
  const tree = path.join(scratch, 'npm');
  mkdirSync(tree);
  copyPrograms(tree);
  for (const file of DOCUMENTS) copyFileSync(path.join(CHECKOUT, file), path.join(tree, file));
  const manifest = readManifest(CHECKOUT);
  writeJson(
    tree,
    'package.json',
    withoutDevelopment({ ...manifest, files: [PROGRAMS, SHRINKWRAP, ...DOCUMENTS] }),
  );
  writeJson(tree, SHRINKWRAP, shrinkwrap());
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', directory], {
    cwd: tree,
    encoding: 'utf8',
  });
  return path.join(directory, packed.trim());
}

/** The lock without what is for development only. */
function shrinkwrap(): Lock {
  const lock = JSON.parse(readFileSync(path.join(CHECKOUT, 'package-lock.json'), 'utf8')) as Lock;
  const kept = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
  return {
    ...lock,
    packages: Object.fromEntries(
      kept.map(([place, locked]) => [place, place === '' ? withoutDevelopment(locked) : locked]),
    ),
  };
}

/** Keys of package.json that are for a checkout. */
const DEVELOPMENT: ReadonlySet<string> = new Set(['devDependencies', 'scripts', 'tap']);

function withoutDevelopment(manifest: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(manifest).filter(([key]) => !DEVELOPMENT.has(key)));
}

function writeJson(directory: string, name: string, value: unknown): void {
  writeFileSync(path.join(directory, name), `${JSON.stringify(value, null, 2)}\n`);
}
