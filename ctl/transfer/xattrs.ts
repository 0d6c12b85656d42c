/**
 * The extended attributes of files, with -X: those of users (user.*), which are what a home keeps.
 *
 * They are no reason to leave a file behind: what cannot be kept is told when its file is there.
 */
import { Failure } from '../../protocol/failure.js';
import { MAX_DATA } from '../../protocol/limits.js';
import { bytesOfXattrs, isReservedXattr, isUserXattr, type Xattr } from '../../protocol/xattrs.js';
import { getXattr, listXattrs, removeXattr, setXattr, type XattrTarget } from '../../posix/xattrs.js';

/** Those of one file, or why they are not known, and there are none then. */
export interface KnownXattrs {
  readonly xattrs: readonly Xattr[];
  readonly failure?: Failure | undefined;
}

export const NO_XATTRS: KnownXattrs = { xattrs: [] };

/** What makes the attributes of one file those of another. */
export interface XattrChanges {
  readonly set: readonly Xattr[];
  readonly removed: readonly Buffer[];
}

/** Those of a file here. */
export function localXattrs(place: XattrTarget): KnownXattrs {
  try {
    const xattrs = listXattrs(place)
      .filter((name) => isUserXattr(name) && !isReservedXattr(name))
      .flatMap((name): Xattr[] => {
        const value = getXattr(place, name);
        return value === undefined ? [] : [[name, value]];
      });
    requireFit(xattrs);
    return { xattrs };
  } catch (error) {
    return unknownXattrs(error);
  }
}

export function unknownXattrs(error: unknown): KnownXattrs {
  return { xattrs: [], failure: Failure.from(error) };
}

/** E2BIG: they are more than travels with a file. */
export function requireFit(xattrs: readonly Xattr[]): void {
  if (bytesOfXattrs(xattrs) > MAX_DATA / 2) throw new Failure('E2BIG', 'they are more than 512 KiB');
}

/** Gives a file here what another has. Returns why some of it could not be. */
export function giveXattrs(place: XattrTarget, wanted: KnownXattrs): Failure | undefined {
  if (wanted.failure !== undefined) return wanted.failure;
  const there = localXattrs(place);
  let failure = there.failure;
  const attempt = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      failure ??= Failure.from(error);
    }
  };
  const { set, removed } = xattrChanges(there.xattrs, wanted.xattrs);
  for (const name of removed) attempt(() => removeXattr(place, name));
  for (const [name, value] of set) attempt(() => setXattr(place, name, value, 0));
  return failure;
}

export function xattrChanges(there: readonly Xattr[], wanted: readonly Xattr[]): XattrChanges {
  const former = byName(there);
  const kept = byName(wanted);
  return {
    set: wanted.filter(([name, value]) => former.get(name.toString('latin1'))?.equals(value) !== true),
    removed: there.map(([name]) => name).filter((name) => !kept.has(name.toString('latin1'))),
  };
}

function byName(xattrs: readonly Xattr[]): ReadonlyMap<string, Buffer> {
  return new Map(xattrs.map(([name, value]) => [name.toString('latin1'), value]));
}

/** What the other side says where it has no room for attributes, or its disk takes none. */
const REFUSALS: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'ENOSPC', 'E2BIG', 'EDQUOT', 'EPERM', 'EACCES']);

/** Sends a file with its attributes, and without them where they are refused. Returns why they were not kept. */
export async function sendWithXattrs(
  { xattrs, failure: unknown }: KnownXattrs,
  send: (xattrs: readonly Xattr[]) => Promise<void>,
): Promise<Failure | undefined> {
  try {
    await send(xattrs);
    return unknown;
  } catch (error) {
    const failure = Failure.from(error);
    if (xattrs.length === 0 || !REFUSALS.has(failure.kind)) throw failure;
    await send([]);
    return failure;
  }
}

export function xattrsNotKept(why: Failure): Failure {
  return new Failure(why.kind, `its extended attributes were not kept: ${why.message}`, { cause: why });
}
