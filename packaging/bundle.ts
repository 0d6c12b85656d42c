/*
 * The end of `npm run build`: each program and thread as one file, and one for each thing that it loads only when it is asked
 * for, of the compiled modules and the libraries. Node takes half a millisecond and more to load a file: with a file for each module `ftpmount` loads
 * 244 files instead of 20, and takes 390 ms of processor time instead of 254 until it has called the server.
 *
 * Libraries with native or WebAssembly parts are loaded from node_modules, and so are those that load their parts by name.
 */
import { chmodSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import type { ProgramName } from '../program/location.js';
import { CHECKOUT, PROGRAMS } from './checkout.js';

/** Started by people; of each the name and the compiled module. */
const COMMANDS = {
  ftpctl: 'ctl/ftpctl',
  ftpmount: 'mount/ftpmount',
  ftpmountd: 'daemon/ftpmountd',
} as const;
/** Started by these (program/location). */
const PARTS: Readonly<Record<Exclude<ProgramName, keyof typeof COMMANDS>, string>> = {
  'argon2-thread': 'daemon/login/argon2-thread',
  'background-process': 'mount/background-process',
  'disk-thread': 'daemon/home/disk/disk-thread',
  'master-process': 'ctl/master/master-process',
  'password-thread': 'state/password-thread',
  worker: 'daemon/worker/worker',
};
const FROM_NODE_MODULES = [
  '@fastify/swagger',
  'fastify',
  'fuse-native',
  'koffi',
  'libsodium-wrappers-sumo',
  'lmdb',
];
/** Libraries that are no ES modules ask for node's own modules by this. */
const REQUIRE = `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);`;

const directory = path.join(CHECKOUT, PROGRAMS);
rmSync(directory, { recursive: true, force: true });
for (const [name, module] of Object.entries({ ...COMMANDS, ...PARTS })) {
  await build({
    absWorkingDir: CHECKOUT,
    entryPoints: { [name]: `dist/${module}.js` },
    outdir: directory,
    // Beside the programs: see program/location.
    chunkNames: `${name}-[name]-[hash]`,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: FROM_NODE_MODULES,
    banner: { js: REQUIRE },
    logLevel: 'warning',
  });
}
for (const name of Object.keys(COMMANDS)) chmodSync(path.join(directory, `${name}.js`), 0o755);
