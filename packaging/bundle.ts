/*
 * The end of `npm run build`: each thread and process as one file, of the compiled modules and the libraries; a program has two. Node takes half a
 * millisecond and more to load a file. With a file for each module `ftpmount` loads 244 and takes 390 ms of processor time until it
 * has called the server, instead of 250; `ftpctl ls` takes 177 ms instead of 133.
 *
 * What a program loads only when it is asked for is in its file, and is run when it is asked for: node's own modules, too, which
 * would take 50 ms otherwise. That is so of CommonJS; in ES modules all that is imported is loaded first.
 */
import { chmodSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import type { ProgramName } from '../program/location.js';
import { CHECKOUT, PROGRAMS } from './checkout.js';
import { FROM_NODE_MODULES } from './node-modules.js';

/** Started by people: the layer of each. */
const COMMANDS = { ftpctl: 'ctl', ftpmount: 'mount', ftpmountd: 'daemon' } as const;
/** Started by these (program/location): the compiled module of each. */
const PARTS: Readonly<Record<Exclude<ProgramName, keyof typeof COMMANDS>, string>> = {
  'argon2-thread': 'daemon/login/argon2-thread',
  'background-process': 'mount/background-process',
  'disk-thread': 'daemon/home/disk/disk-thread',
  'master-process': 'ctl/master/master-process',
  'password-thread': 'state/password-thread',
  worker: 'daemon/worker/worker',
};
/** Modules are strict. `ownUrl` stands for import.meta.url, which is that of the program. */
const BEFORE = `'use strict'; const ownUrl = require('node:url').pathToFileURL(__filename).href;`;
/** Reads what tells it that it is too old: as in Debian 11 and Ubuntu 22.04. */
const OLD_NODE = 'node12';

const directory = path.join(CHECKOUT, PROGRAMS);
rmSync(directory, { recursive: true, force: true });
for (const [name, layer] of Object.entries(COMMANDS)) {
  // A file of its own tells an old node that it is too old, which could not read the rest.
  await bundle(name, `${layer}/${name}`, {
    target: OLD_NODE,
    banner: {},
    plugins: [mainIn(`./${name}-main.cjs`)],
  });
  await bundle(`${name}-main`, `${layer}/main`);
  chmodSync(path.join(directory, `${name}.cjs`), 0o755);
}
for (const [name, module] of Object.entries(PARTS)) await bundle(name, module);

async function bundle(name: string, module: string, options: BuildOptions = {}): Promise<void> {
  await build({
    absWorkingDir: CHECKOUT,
    entryPoints: { [name]: `dist/${module}.js` },
    outdir: directory,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    supported: { 'dynamic-import': false },
    external: [...FROM_NODE_MODULES],
    define: { 'import.meta.url': 'ownUrl' },
    banner: { js: BEFORE },
    logLevel: 'warning',
    ...options,
  });
}

/** Leaves the main.js that a module asks for to a file of its own. */
function mainIn(file: string): Plugin {
  return {
    name: 'main',
    setup({ onResolve }) {
      onResolve({ filter: /^\.\/main\.js$/ }, () => ({ path: file, external: true }));
    },
  };
}
