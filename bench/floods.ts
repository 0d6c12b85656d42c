/*
 * What a neighbour does who keeps a worker busy: as much at once as the protocol allows a client, in its own home.
 */
import { MAX_DATA } from '../protocol/limits.js';
import { ALLOCATE } from '../protocol/operations.js';
import { PathClient, ref } from '../test/lib/path-client.js';

export interface Flood {
  /** As --only names it. */
  readonly name: string;
  title(share: number): string;
  /** Makes what has to be there before. */
  prepare(paths: PathClient, share: number): Promise<unknown>;
  work(paths: PathClient, share: number): Promise<unknown>;
}

const MiB = 2 ** 20;
const GiB = 1024 * MiB;
/** Directories that are made or removed at once, and how often. */
const DIRECTORIES = 200;
const ROUNDS = 50;
/** Bytes that are written; so many writes of MAX_DATA are under way at once as a client may have. */
const WRITTEN = 1 * GiB;
const WRITES = 16;
const LISTED = 200_000;
const CREATES = 256;
/** Bytes of the file that is cut to nothing. */
const CUT = 4 * GiB;

export const floods: readonly Flood[] = [
  {
    name: 'mkdirs',
    title: (share) => `${DIRECTORIES} mkdirs at once, ${part(ROUNDS, share)} times`,
    prepare: (paths, share) => makeParents(paths, 'made', share),
    work: (paths, share) => inRounds('made', share, (path) => paths.mkdir(path)),
  },
  {
    name: 'rmdirs',
    title: (share) => `${DIRECTORIES} rmdirs at once, ${part(ROUNDS, share)} times`,
    prepare: async (paths, share) => {
      await makeParents(paths, 'removed', share);
      await inRounds('removed', share, (path) => paths.mkdir(path));
    },
    work: (paths, share) => inRounds('removed', share, (path) => paths.rmdir(path)),
  },
  {
    name: 'writes',
    title: (share) => `${part(WRITTEN / MAX_DATA, share)} MiB written`,
    prepare: (paths) => paths.create('written'),
    work: (paths, share) => {
      const data = Buffer.alloc(MAX_DATA, 'x');
      return atOnce(WRITES, part(WRITTEN / MAX_DATA, share), (n) =>
        paths.write('written', n * MAX_DATA, data),
      );
    },
  },
  {
    name: 'list',
    title: (share) => `${part(LISTED, share)} entries listed`,
    prepare: async (paths, share) => {
      await paths.mkdir('listed');
      await atOnce(CREATES, part(LISTED, share), (n) => paths.create(`listed/file-${n}`));
    },
    work: (paths) => paths.list('listed'),
  },
  {
    name: 'truncate',
    title: (share) => `a file of ${Math.round(part(CUT, share) / MiB)} MiB cut to nothing`,
    prepare: makeLarge,
    work: (paths) => paths.setattr('cut', { size: 0 }),
  },
];

function part(whole: number, share: number): number {
  return Math.max(1, Math.round(whole * share));
}

async function makeParents(paths: PathClient, directory: string, share: number): Promise<void> {
  await paths.mkdir(directory);
  for (let round = 0; round < part(ROUNDS, share); round++) await paths.mkdir(`${directory}/${round}`);
}

async function inRounds(
  directory: string,
  share: number,
  act: (path: string) => Promise<unknown>,
): Promise<void> {
  for (let round = 0; round < part(ROUNDS, share); round++)
    await atOnce(DIRECTORIES, DIRECTORIES, (n) => act(`${directory}/${round}/${n}`));
}

async function makeLarge(paths: PathClient, share: number): Promise<void> {
  const large = { file: ref('cut'), time: null, mode: 0 };
  const bytes = part(CUT, share);
  let { size } = await paths.create('cut');
  while (size < bytes) {
    const [left] = await paths.change({ kind: ALLOCATE, ...large, offset: size, length: bytes - size });
    size = left?.size ?? 0;
  }
}

/** Acts on the numbers below `count`, on so many at once. */
async function atOnce(most: number, count: number, act: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: most }, one));
}
