/**
 * POSIX ACLs (acl(5)) as Linux writes them into extended attributes: a version, then a tag, permissions and an id for each
 * entry, little-endian, in the order of the tags.
 *
 * Invariant: what a mode can say (owner, mask or owning group, others) is the mode's: an ACL that is kept is read together with
 * it, so that chmod(2) never has to change one.
 */
import { Failure } from '../../protocol/failure.js';

const VERSION = 2;
const HEADER_SIZE = 4;
const ENTRY_SIZE = 8;
/** No id: of entries that name nobody. */
const NOBODY = 0xffff_ffff;

const USER_OBJ = 0x01;
const USER = 0x02;
const GROUP_OBJ = 0x04;
const GROUP = 0x08;
const MASK = 0x10;
const OTHER = 0x20;
const ONCE: readonly number[] = [USER_OBJ, GROUP_OBJ, MASK, OTHER];
const REQUIRED: readonly number[] = [USER_OBJ, GROUP_OBJ, OTHER];

const RWX = 0o7;
const RWXRWXRWX = 0o777;

interface AclEntry {
  readonly tag: number;
  /** rwx, as of one class of a mode. */
  readonly permissions: number;
  /** uid or gid of a named user or group. */
  readonly id: number;
}

/** At least owner, owning group and others; a mask where somebody is named. */
export type Acl = readonly AclEntry[];

/** Throws EINVAL. */
export function parseAcl(bytes: Buffer): Acl {
  const count = (bytes.length - HEADER_SIZE) / ENTRY_SIZE;
  if (!Number.isInteger(count) || count < REQUIRED.length || bytes.readUInt32LE(0) !== VERSION) throw wrong();
  const acl: AclEntry[] = [];
  for (let at = HEADER_SIZE; at < bytes.length; at += ENTRY_SIZE) {
    const [tag, permissions] = [bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2)];
    const isNamed = tag === USER || tag === GROUP;
    const isSound = (isNamed || ONCE.includes(tag)) && permissions <= RWX;
    if (!isSound || tag < (acl.at(-1)?.tag ?? 0)) throw wrong();
    acl.push({ tag, permissions, id: isNamed ? bytes.readUInt32LE(at + 4) : NOBODY });
  }
  const times = (tag: number): number => acl.filter((entry) => entry.tag === tag).length;
  const isWhole = ONCE.every((tag) => times(tag) <= 1) && REQUIRED.every((tag) => times(tag) === 1);
  if (!isWhole || (times(MASK) === 0 && !isMinimal(acl))) throw wrong();
  return acl;
}

export function formatAcl(acl: Acl): Buffer {
  const bytes = Buffer.alloc(HEADER_SIZE + acl.length * ENTRY_SIZE);
  bytes.writeUInt32LE(VERSION, 0);
  for (const [index, { tag, permissions, id }] of acl.entries()) {
    const at = HEADER_SIZE + index * ENTRY_SIZE;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(permissions, at + 2);
    bytes.writeUInt32LE(id, at + 4);
  }
  return bytes;
}

/** Whether a mode says all of it. */
export function isMinimal(acl: Acl): boolean {
  return acl.length === REQUIRED.length;
}

/** The rwxrwxrwx that stat(2) shows. */
export function permissionsOf(acl: Acl): number {
  let mode = 0;
  for (const { tag, permissions } of acl) {
    const shift = shiftOf(tag, acl);
    if (shift !== undefined) mode |= permissions << shift;
  }
  return mode;
}

/** The ACL of a file of that mode. */
export function withMode(acl: Acl, mode: number): Acl {
  return acl.map((entry) => {
    const shift = shiftOf(entry.tag, acl);
    return shift === undefined ? entry : { ...entry, permissions: (mode >> shift) & RWX };
  });
}

/** The ACL of what is made with that mode in a directory that has this default ACL. The umask does not count then. */
export function inherited(defaults: Acl, mode: number): Acl {
  return withMode(defaults, permissionsOf(defaults) & mode & RWXRWXRWX);
}

/** The permissions of a mode without those that the mask gives to named ones, and not to the owning group. */
export function withoutNamed(acl: Acl): number {
  const group = acl.find(({ tag }) => tag === GROUP_OBJ)?.permissions ?? 0;
  return permissionsOf(acl) & (0o707 | (group << 3));
}

/** Where in a mode an entry's permissions are. The mask takes the place of the owning group. */
function shiftOf(tag: number, acl: Acl): number | undefined {
  if (tag === USER_OBJ) return 6;
  if (tag === OTHER) return 0;
  const hasMask = acl.some((entry) => entry.tag === MASK);
  return tag === (hasMask ? MASK : GROUP_OBJ) ? 3 : undefined;
}

function wrong(): Failure {
  return new Failure('EINVAL', 'not a POSIX ACL');
}
