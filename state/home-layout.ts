/*
 * What the daemon keeps in a home beside the user's files, by name: for the daemon, and for who counts a home without it.
 */

/** The daemon's own directory at the root of a home: partial uploads and the trash, which are charged, and what OWN_NAMES says. */
export const RESERVED_NAME = Buffer.from('.ftpmount');

/** What the daemon keeps in there for itself, free of charge; all else in there is partial uploads and the trash. */
export const OWN_NAMES = {
  /** The marks of clients. */
  clients: Buffer.from('clients'),
  /** Inodes granted ahead. */
  granted: Buffer.from('granted'),
  /** The times that are shown in place of the disk's. */
  times: Buffer.from('times'),
  /** On which it is tried what the disk can keep: without a name as soon as it is open. */
  limits: Buffer.from('limits'),
  /** The virtual owners of what can have no extended attribute. */
  owners: Buffer.from('owners'),
} as const;

/** What was removed and can be restored: all below it is charged. */
export const TRASH_NAME = Buffer.from('trash');

/** Whether a name in the daemon's own directory is no partial upload. */
export function isOwnName(name: Buffer): boolean {
  return [...Object.values(OWN_NAMES), TRASH_NAME].some((own) => own.equals(name));
}
