/*
 * The node_modules that the programs need to run, out of those of the checkout: what package.json asks for and what that asks
 * for, each pruned to what node loads. Native addons are there for this machine's architecture only, since npm installs no
 * others; of their variants those for musl are left out, which no Debian has.
 *
 * fuse-native, optional, is left out: it is the second driver, and for comparisons only.
 */
import { cpSync, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT, readManifest } from './checkout.js';

const NODE_MODULES = 'node_modules';

/** Endings of what node loads, and the names of what a licence asks to be kept. */
const KEPT = /\.(?:[cm]?js|json|node|wasm)$|^(?:licen[cs]e|copying|notice)\b[^/]*$/i;
/** Directories at the top of a module that are of no use at run time. */
const LEFT_OUT =
  /^(?:tests?|__tests__|benchmarks?|bench|examples?|docs?|integration|types|vendor|dependencies|\.github)$/;

/** Copies them to `directory`/node_modules, each to the place that it has here. */
export function copyNodeModules(directory: string): void {
  for (const module of neededModules()) {
    const source = path.join(CHECKOUT, module);
    cpSync(source, path.join(directory, module), {
      recursive: true,
      filter: (file) => isNeeded(source, file),
    });
  }
}

/** Directories of modules, relative to the checkout. */
function neededModules(): ReadonlySet<string> {
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
  visit(Object.keys(readManifest(CHECKOUT).dependencies ?? {}), '');
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

/** Whether a file or directory of a module is copied. */
function isNeeded(module: string, file: string): boolean {
  const place = path.relative(module, file);
  const [top = ''] = place.split(path.sep);
  // A module's own node_modules are modules of their own.
  if (top === NODE_MODULES || LEFT_OUT.test(top) || /musl.*\.node$/.test(place)) return false;
  return statSync(file).isDirectory() || KEPT.test(path.basename(file));
}
