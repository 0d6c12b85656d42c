/**
 * Extended attributes as they travel: whose names a home keeps, and how much.
 *
 * Only those of users do (user.*): the others mean something to the system that keeps them, which a home's does not.
 */
import { Failure } from './failure.js';
import { MAX_XATTR_NAME, MAX_XATTR_VALUE, MAX_XATTRS } from './limits.js';
import { bytes, int, list, optional, tuple, type Shape } from './shape.js';

const PREFIX = Buffer.from('user.');
/** Not for programs: the server's own, and POSIX ACLs. */
const RESERVED_PREFIX = Buffer.from('user.ftpmount.');

/** The POSIX ACLs of a file, as Linux writes them: what a mount with ACLs keeps, and enforces. The server only keeps them. */
export const ACCESS_ACL = Buffer.from('user.ftpmount.acl.access');
export const DEFAULT_ACL = Buffer.from('user.ftpmount.acl.default');

/** Flags of SETXATTR, as setxattr(2). */
export const XATTR_CREATE = 1;
export const XATTR_REPLACE = 2;

/** Whether a home keeps attributes of such names. */
export function isUserXattr(name: Buffer): boolean {
  return name.length > PREFIX.length && name.subarray(0, PREFIX.length).equals(PREFIX);
}

/** Whether a program must neither see nor make it. */
export function isReservedXattr(name: Buffer): boolean {
  return name.subarray(0, RESERVED_PREFIX.length).equals(RESERVED_PREFIX);
}

/** Whether it is the server's own, which no client sees or makes. */
export function isServersXattr(name: Buffer): boolean {
  return isReservedXattr(name) && !name.equals(ACCESS_ACL) && !name.equals(DEFAULT_ACL);
}

const anyName = bytes(MAX_XATTR_NAME, PREFIX.length + 1);

/** A whole name, with its prefix. */
export const xattrName: Shape<Buffer> = (value) => {
  const name = anyName(value);
  if (!isUserXattr(name) || name.includes(0)) throw new Failure('EINVAL', 'expected a name of user.*');
  return name;
};

export const xattrValue = bytes(MAX_XATTR_VALUE);

/** One attribute: its whole name, and its value. */
export type Xattr = readonly [name: Buffer, value: Buffer];

/** All that a file is to have; nil: none. */
export const xattrsToGive: Shape<readonly Xattr[]> = (value) => givenXattrs(value) ?? [];
const givenXattrs = optional(list(tuple(xattrName, xattrValue), MAX_XATTRS));

/** Bytes of names and values. */
export function bytesOfXattrs(xattrs: readonly Xattr[]): number {
  return xattrs.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

/** 0, XATTR_CREATE, XATTR_REPLACE, or both, which no file can please. */
export const xattrFlags = int(0, XATTR_CREATE | XATTR_REPLACE);
