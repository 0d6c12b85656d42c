/*
 * Imports point one way: between the programs and what they share, between the parts of a program, and between files. An
 * import of a type counts like any other: who reads one file has to read the other.
 */
import t from 'tap';
import { importsOf, readSources, type Source } from './lib/sources.js';

/** Of the daemon itself, what all of it needs. */
const DAEMON_BASE = [
  'daemon/log',
  'daemon/measures',
  'daemon/program-files',
  'daemon/descriptor-limit',
  'daemon/bounded-send',
];

/**
 * What each layer may import besides itself: layers, or files by their names without the ending. A file belongs to the
 * longest name here that its own begins with.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  // Names and messages; what carries them, encrypted; and a client's session over that.
  protocol: [],
  'protocol/transport': ['protocol/codec', 'protocol/failure', 'protocol/limits'],
  'protocol/session': [
    ...[
      'protocol/transport',
      'protocol/codec',
      'protocol/methods',
      'protocol/operations',
      'protocol/attributes',
    ],
    ...['protocol/disk-limits', 'protocol/shares', 'protocol/shape', 'protocol/failure', 'protocol/limits'],
  ],
  program: ['protocol/failure'],
  client: ['protocol'],
  posix: [],
  state: ['protocol', 'posix', 'program'],
  locks: ['protocol'],
  daemon: ['daemon/login', 'daemon/worker', 'daemon/home/calls', 'state', 'protocol', 'posix', 'program'],
  'daemon/login': [...DAEMON_BASE, 'daemon/config', 'state', 'protocol', 'posix', 'program'],
  'daemon/worker': [
    ...['daemon/home', 'daemon/deadline', 'daemon/event-loop-delay'],
    ...[...DAEMON_BASE, 'state', 'protocol', 'posix'],
  ],
  // Each of these may import those above it.
  'daemon/home/calls': ['protocol'],
  'daemon/home/disk': ['daemon/home/calls', ...DAEMON_BASE, 'state', 'protocol', 'posix', 'program'],
  'daemon/home/quota': [
    'daemon/home/calls',
    'daemon/home/disk',
    ...DAEMON_BASE,
    'state',
    'protocol',
    'posix',
  ],
  'daemon/home/files': [
    ...['daemon/home/calls', 'daemon/home/disk', 'daemon/home/quota'],
    ...['state', 'protocol', 'posix'],
  ],
  'daemon/home/leases': [
    ...['daemon/home/calls', 'daemon/home/disk', 'daemon/home/quota', 'daemon/home/files'],
    ...[...DAEMON_BASE, 'protocol', 'posix'],
  ],
  'daemon/home/trash': [
    ...[
      'daemon/home/calls',
      'daemon/home/disk',
      'daemon/home/quota',
      'daemon/home/files',
      'daemon/home/leases',
    ],
    ...[...DAEMON_BASE, 'state', 'protocol', 'posix'],
  ],
  'daemon/home/operations': [
    ...[
      'daemon/home/disk',
      'daemon/home/quota',
      'daemon/home/files',
      'daemon/home/leases',
      'daemon/home/trash',
    ],
    ...['state', 'protocol', 'posix'],
  ],
  'daemon/home/transfers': [
    ...[
      'daemon/home/calls',
      'daemon/home/disk',
      'daemon/home/quota',
      'daemon/home/files',
      'daemon/home/leases',
    ],
    ...[...DAEMON_BASE, 'state', 'protocol', 'posix'],
  ],
  'daemon/home': ['daemon/home', ...DAEMON_BASE, 'state', 'locks', 'protocol', 'posix'],
  'daemon/main': ['daemon', 'web', 'state', 'protocol', 'posix', 'program'],
  'daemon/ftpmountd': ['daemon/main', 'program'],
  web: ['state', 'protocol', 'program'],
  ctl: ['state', 'client', 'protocol', 'posix', 'program'],

  // The program ftpmount, and what it is made of.
  mount: ['mount', 'locks', 'client', 'protocol', 'posix', 'program'],
  'mount/operations': ['protocol'],
  'mount/ownership': ['mount/operations', 'protocol', 'posix'],
  'mount/fuse': ['mount/operations', 'protocol', 'posix'],
  'mount/fuse-native': ['mount/fuse', 'mount/operations', 'protocol', 'posix'],
  'mount/log': ['protocol'],
  'mount/tree': ['mount/log/entry', 'protocol', 'posix'],
  'mount/remote': ['mount/operations', 'protocol'],
  'mount/lease': ['mount/remote/boot-time', 'protocol'],
  'mount/data': ['mount/remote/interruption', 'mount/operations', 'protocol', 'posix'],
  'mount/filesystem': [
    ...['mount/tree', 'mount/log', 'mount/lease', 'mount/data', 'mount/remote'],
    ...['mount/operations', 'mount/ownership', 'locks', 'protocol', 'posix'],
  ],

  'mount/shares': ['mount/remote/interruption', 'mount/operations', 'protocol', 'posix'],

  // Who runs the programs from outside, and who tests everything.
  bench: ['protocol', 'test'],
  demo: ['bench', 'program/location', 'test'],
  test: [
    'bench',
    'client',
    'ctl',
    'daemon',
    'demo',
    'locks',
    'mount',
    'packaging',
    'posix',
    'program',
    'protocol',
    'state',
    'web',
  ],

  // What is installed of the programs: the configuration's keys are told by the daemon's own table.
  packaging: ['daemon/config', 'ctl/completed-shells', 'program/location'],
};
const LAYERS = Object.keys(MAY_IMPORT).toSorted((a, b) => b.length - a.length);

/** All but this one, whose sample imports what nobody may. */
const sources = readSources().filter(({ file }) => file !== 'test/layering.test.ts');

t.test('every layer has sources, so that what follows says something', async (t) => {
  const layers = new Set(sources.map(({ file }) => layerOf(file)));
  t.strictSame([...layers].toSorted(), LAYERS.toSorted());
});

t.test('imports cross layers in one direction only', async (t) => {
  t.strictSame(sources.flatMap(crossings), []);
});

t.test('no circle between files', async (t) => {
  t.strictSame(onCircles(new Map(sources.map((source) => [source.file, importsOf(source)]))), []);
});

t.test('every kind of import is seen', async (t) => {
  const sample: Source = {
    file: 'mount/tree/x.ts',
    text: [
      `import fs from 'node:fs';`,
      `import {\n  a,\n} from '../../posix/files.js';`,
      `import type { B } from '../../daemon/b.js';`,
      `export { c } from '../fuse/c.js';`,
      `export * from '../log/entry.js';`,
      `export type * from '../log/log.js';`,
      `import '../serve.js';`,
      `const f = await import('../../test/f.js');`,
      `import g from './g.js';`,
    ].join('\n'),
  };
  t.strictSame(crossings(sample), [
    'mount/tree/x.ts -> daemon/b.ts',
    'mount/tree/x.ts -> mount/fuse/c.ts',
    'mount/tree/x.ts -> mount/log/log.ts',
    'mount/tree/x.ts -> mount/serve.ts',
    'mount/tree/x.ts -> test/f.ts',
  ]);
});

t.test('every circle is seen, and nothing but circles', async (t) => {
  const imports = new Map([
    ['main', ['a', 'leaf']],
    ['a', ['b']],
    ['b', ['c']],
    ['c', ['a', 'leaf']],
    ['itself', ['itself']],
    ['leaf', ['missing']],
  ]);
  t.strictSame(onCircles(imports), ['a', 'b', 'c', 'itself']);
});

function layerOf(file: string): string | undefined {
  return LAYERS.find((layer) => isIn(file, layer));
}

/** Whether a file is, or is in, what is named without an ending. */
function isIn(file: string, place: string): boolean {
  return file === `${place}.ts` || file.startsWith(`${place}/`);
}

/** The imports of a source that its layer may not have. */
function crossings(source: Source): string[] {
  const layer = layerOf(source.file) ?? '';
  const allowed = MAY_IMPORT[layer] ?? [];
  return importsOf(source)
    .filter((target) => layerOf(target) !== layer && !allowed.some((place) => isIn(target, place)))
    .map((target) => `${source.file} -> ${target}`);
}

/** The files that import themselves by way of others: what is left without those that import, or are imported by, nobody. */
function onCircles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const left = new Map(imports);
  for (let before = -1; before !== left.size;) {
    before = left.size;
    const imported = new Set([...left.values()].flat());
    for (const [file, targets] of left) {
      if (!imported.has(file) || !targets.some((target) => left.has(target))) left.delete(file);
    }
  }
  return [...left.keys()];
}
