/*
 * `npm run package [-- DIR]`: what others install, of this build: a Debian package for the architecture of this machine,
 * whose node_modules it gets, and a tarball for npm whose dependencies are pinned by a shrinkwrap. Needs dpkg-deb, no network.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeDebianPackage } from './debian-package.js';
import { makeNpmTarball } from './npm-tarball.js';

process.umask(0o022); // What is installed is for all to read.
const directory = path.resolve(process.argv[2] ?? 'packages');
const scratch = mkdtempSync(path.join(os.tmpdir(), 'ftpmount-package-'));
try {
  mkdirSync(directory, { recursive: true });
  for (const make of [makeDebianPackage, makeNpmTarball])
    process.stdout.write(`${make(directory, scratch)}\n`);
} catch (failure) {
  process.exitCode = 1;
  process.stderr.write(`package: ${failure instanceof Error ? failure.message : String(failure)}\n`);
} finally {
  rmSync(scratch, { recursive: true });
}
