/*
 * The node_modules that the programs need to run, out of those of the checkout: what is not inside the programs and what that asks
 * for, each pruned to what node loads. Of what is inside there are the texts of the licences. Native addons are there for this machine's architecture only, since npm installs no
 * others; of their variants those for musl are left out, which no Debian has.
 *
 * fuse-native, optional, is left out: it is the second driver, and for comparisons only.
 */
import { cpSync, existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT, readManifest } from './checkout.js';

/** Libraries with native or WebAssembly parts, and those that load their parts by name; all others are inside the programs. */
export const FROM_NODE_MODULES: readonly string[] = [
  '@fastify/swagger',
  'fastify',
  'fuse-native',
  'koffi',
  'libsodium-wrappers-sumo',
  'lmdb',
];

const NODE_MODULES = 'node_modules';

/** Endings of what node loads. */
const LOADED = /\.(?:[cm]?js|json|node|wasm)$/;
/** Names of what a licence asks to be kept. */
const LICENCE = /^(?:licen[cs]e|copying|notice)\b[^/]*$/i;
/** Directories at the top of a module that are of no use at run time. */
const LEFT_OUT =
  /^(?:tests?|__tests__|benchmarks?|bench|examples?|docs?|integration|types|vendor|dependencies|\.github)$/;

/** Copies them to `directory`/node_modules, each to the place that it has here. */
export function copyNodeModules(directory: string): void {
  const all = Object.keys(readManifest(CHECKOUT).dependencies ?? {});
  const loaded = withTheirs(all.filter((name) => FROM_NODE_MODULES.includes(name)));
  for (const module of withTheirs(all)) {
    const source = path.join(CHECKOUT, module);
    if (!loaded.has(module)) {
      copyLicences(source, path.join(directory, module));
      continue;
    }
    cpSync(source, path.join(directory, module), {
      recursive: true,
      filter: (file) => isNeeded(source, file),
    });
  }
}

/** Directories of modules and of all that these need, relative to the checkout. */
function withTheirs(names: readonly string[]): ReadonlySet<string> {
  const needed = new Set<string>();
  const visit = (names: readonly string[], from: string): void => {
    for (const name of names) {
      const module = resolveModule(name, from);
      if (module === undefined || needed.has(module)) continue;
      needed.add(module);
      const { dependencies, optionalDependencies } = readManifest(path.join(CHECKOUT, module));
      visit(Object.keys({ ...dependencies, ...optionalDependencies }), module);
    }
  };
  visit(names, '');
  return needed;
}

/** Where node finds a module: in the nearest node_modules upwards. Undefined: an optional one that is not for this machine. */
function resolveModule(name: string, from: string): string | undefined {
  for (let directory = from; ; directory = path.dirname(directory)) {
    const module = path.join(directory, NODE_MODULES, name);
    if (existsSync(path.join(CHECKOUT, module, 'package.json'))) return module;
    if (directory === '' || directory === '.') return undefined;
  }
}

function copyLicences(source: string, target: string): void {
  for (const name of readdirSync(source).filter((one) => LICENCE.test(one)))
    cpSync(path.join(source, name), path.join(target, name));
}

/** Whether a file or directory of a module is copied. */
function isNeeded(module: string, file: string): boolean {
  const place = path.relative(module, file);
  const [top = ''] = place.split(path.sep);
  // A module's own node_modules are modules of their own.
  if (top === NODE_MODULES || LEFT_OUT.test(top) || /musl.*\.node$/.test(place)) return false;
  const name = path.basename(file);
  return statSync(file).isDirectory() || LOADED.test(name) || LICENCE.test(name);
}
