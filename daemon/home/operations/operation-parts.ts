/*
 * What the parts of the executor share: what they are given with an operation, and what they tell of it.
 */
import { Failure } from '../../../protocol/failure.js';
import type { FileId } from '../../../protocol/references.js';
import type { Status } from '../../../posix/status.js';
import type { ChangeSummary } from './change-summary.js';
import type { ConfinedTree } from '../disk/confined.js';
import { isId } from '../disk/file-ids.js';
import type { XattrFile } from '../disk/file-xattrs.js';
import type { ClientGrant } from '../quota/grants.js';
import type { ClientHeld, HeldFiles } from '../files/held-files.js';
import type { Directory, Identities } from '../files/identities.js';
import type { OperationTimes } from './operation-times.js';
import type { ToldStatus } from '../files/owner-record.js';
import type { ProvisionalIds } from '../files/provisional-ids.js';
import type { Account } from '../quota/quota.js';
import type { SharePlaces } from '../files/share-places.js';
import type { Trash } from '../trash/trash.js';
import type { LostName } from '../leases/unit-changes.js';
import type { VirtualOwners } from '../files/virtual-owners.js';

/** The client whose operations are carried out. */
export interface ExecutorClient {
  readonly grant: ClientGrant;
  readonly held: ClientHeld;
  readonly provisional: ProvisionalIds;
  readonly summary: ChangeSummary;
}

/** The home as the parts see it. */
export interface HomeParts {
  readonly tree: ConfinedTree;
  readonly identities: Identities;
  readonly held: HeldFiles;
  readonly times: OperationTimes;
  readonly owners: VirtualOwners;
  readonly trash: Pick<Trash, 'take' | 'accountOf'>;
  readonly places: Pick<SharePlaces, 'requireNone' | 'requireOutside'>;
  /** Bytes that a file can have on this disk. */
  readonly largestFile: number;
  /** A file got, lost or changed a name: its unit may be another one. */
  readonly moved: (ino: bigint) => void;
}

/** How an operation is carried out. */
export interface Lane {
  readonly client: ExecutorClient;
  /** What it is charged to. */
  readonly account: Account;
  /** It may have been carried out before: one whose outcome is there was. */
  readonly replay: boolean;
}

/** What an operation left. */
export interface Left {
  /** The file as it is now, if it is still there; of a log's operation only where its client cannot know it. */
  readonly file?: ToldStatus | undefined;
  /** The file was made, and its id is another than the client gave. */
  readonly unknownId?: boolean;
  /** Where it stopped, of what works on a range: not always the end of it. */
  readonly upTo?: number;
  /** Where names were made or removed. */
  readonly directories?: readonly Directory[];
  readonly lost?: LostName | undefined;
}

/** A file as an operation left it. */
export function leftOf({ owners, times }: HomeParts, file: XattrFile): ToldStatus | undefined {
  return times.inBatch ? undefined : owners.told(file);
}

/**
 * What a name leads to, if it is what the operation means (`id`; null: whatever it is). Undefined where it was removed by
 * this operation before. ENOENT, ESTALE.
 */
export function expectedAt(
  found: Status | undefined,
  id: FileId | null,
  replay: boolean,
): Status | undefined {
  if (found !== undefined && (id === null || isId(found, id))) return found;
  if (replay) return undefined;
  if (found === undefined) throw new Failure('ENOENT', 'no such file or directory');
  throw new Failure('ESTALE', 'the name leads to another file');
}
