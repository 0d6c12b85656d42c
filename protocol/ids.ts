/**
 * Branded ids: numbers and bytes that must not be mixed up. Each is made only by its own function, which
 * validates; casts elsewhere are mistakes.
 */
import { Failure } from './failure.js';
import { MAX_NAME, MAX_PATH, MAX_PATH_NAMES, MAX_USER_NAME } from './limits.js';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** The kernel's name of a node in one mount (FUSE nodeid); 1 is the root. Below 2^53. */
export type NodeId = Branded<number, 'NodeId'>;
/** An open file or directory of one mount, as the kernel holds it (FUSE fh). Below 2^53. */
export type HandleId = Branded<number, 'HandleId'>;
/** A cursor of a listing, an upload or a download at the server, of one client. 32 bits. */
export type RemoteHandle = Branded<number, 'RemoteHandle'>;
/** The name of an account. */
export type UserName = Branded<string, 'UserName'>;
/** The name of a list of users. */
export type GroupName = Branded<string, 'GroupName'>;
/** The name of a folder that users share. */
export type ShareName = Branded<string, 'ShareName'>;
/** The name of a home, and of its directory at the server: a user's, or `+` and that of a share, which no user's can be. */
export type HomeName = UserName | Branded<string, 'SharedHomeName'>;
/**
 * A path within a home, in bytes: components separated by single slashes, no slash at the ends, no '.', '..' or
 * NUL. The empty path is the home itself.
 */
export type RemotePath = Branded<Buffer, 'RemotePath'>;

export const ROOT_NODE = 1 as NodeId;
export const ROOT_PATH = Buffer.alloc(0) as unknown as RemotePath;

const SLASH = 0x2f;
const DOT = 0x2e;
/** Of the name of a share's home. */
const SHARED = '+';

export function nodeId(value: number): NodeId {
  return value as NodeId;
}

export function handleId(value: number): HandleId {
  return value as HandleId;
}

export function remoteHandle(value: number): RemoteHandle {
  return value as RemoteHandle;
}

/** A user name as in POSIX 3.437, lower case: it becomes the name of a directory. Throws EINVAL. */
export function userName(text: string): UserName {
  checkPortableName('user', text);
  return text as UserName;
}

/** The name of a group, of the same characters as a user's. Throws EINVAL. */
export function groupName(text: string): GroupName {
  checkPortableName('group', text);
  return text as GroupName;
}

/** The name of a share, of the same characters as a user's. Throws EINVAL. */
export function shareName(text: string): ShareName {
  checkPortableName('share', text);
  return text as ShareName;
}

/** The home of a share. */
export function homeOfShare(share: ShareName): HomeName {
  return `${SHARED}${share}` as HomeName;
}

/** The name of a home, as people write it. Throws EINVAL. */
export function homeName(text: string): HomeName {
  return text.startsWith(SHARED) ? homeOfShare(shareName(text.slice(SHARED.length))) : userName(text);
}

/** The share whose home this is; undefined: a user's own. */
export function shareOfHome(home: HomeName): ShareName | undefined {
  return home.startsWith(SHARED) ? (home.slice(SHARED.length) as ShareName) : undefined;
}

function checkPortableName(what: string, text: string): void {
  const isPortable = /^[a-z_][a-z0-9_.-]*$/.test(text) && text.length <= MAX_USER_NAME;
  // No JSON of the API could have it as the name of a field.
  if (isPortable && text !== '__proto__') return;
  throw new Failure(
    'EINVAL',
    `${what} name '${text.slice(0, MAX_USER_NAME)}' is not valid: up to ${MAX_USER_NAME} of a-z 0-9 _ . -, starting with a letter or _`,
  );
}

/** Checks one name of a directory: 1..255 bytes, no slash, no NUL, not '.' or '..'. Throws EINVAL or ENAMETOOLONG. */
export function checkName(name: Buffer): void {
  if (name.length > MAX_NAME) throw new Failure('ENAMETOOLONG', `a name is longer than ${MAX_NAME} bytes`);
  checkComponent(name, 0, name.length);
  if (name.includes(0)) throw new Failure('EINVAL', 'a name contains a NUL byte');
  if (name.includes(SLASH)) throw new Failure('EINVAL', 'a name contains a slash');
}

/** Bytes as a path of a home. Throws EINVAL or ENAMETOOLONG; does not copy. */
export function remotePath(bytes: Buffer): RemotePath {
  if (bytes.length > MAX_PATH) throw new Failure('ENAMETOOLONG', `a path is longer than ${MAX_PATH} bytes`);
  if (bytes.includes(0)) throw new Failure('EINVAL', 'a path contains a NUL byte');
  if (bytes.length > 0) {
    let names = 0;
    for (let start = 0; start <= bytes.length;) {
      names += 1;
      if (names > MAX_PATH_NAMES) {
        throw new Failure('ENAMETOOLONG', `a path has more than ${MAX_PATH_NAMES} names`);
      }
      const slash = bytes.indexOf(SLASH, start);
      const end = slash < 0 ? bytes.length : slash;
      checkComponent(bytes, start, end);
      start = end + 1;
    }
  }
  return bytes as unknown as RemotePath;
}

function checkComponent(bytes: Buffer, start: number, end: number): void {
  const length = end - start;
  if (length === 0) throw new Failure('EINVAL', 'a path has an empty component');
  if (length > MAX_NAME) throw new Failure('ENAMETOOLONG', `a name is longer than ${MAX_NAME} bytes`);
  if (bytes[start] === DOT && (length === 1 || (length === 2 && bytes[start + 1] === DOT))) {
    throw new Failure('EINVAL', "a path contains '.' or '..'");
  }
}

/** `directory` and a name below it, as a path. Throws as checkName and remotePath do. */
export function joinPath(directory: RemotePath, name: Buffer): RemotePath {
  checkName(name);
  const joined = directory.length === 0 ? name : Buffer.concat([directory, Buffer.of(SLASH), name]);
  if (joined.length > MAX_PATH) throw new Failure('ENAMETOOLONG', `a path is longer than ${MAX_PATH} bytes`);
  return joined as unknown as RemotePath;
}

/** What of a path is behind a directory: the root's where it is that directory; undefined: it is neither that nor below it. */
export function pathBelow(directory: RemotePath, path: RemotePath): RemotePath | undefined {
  if (directory.length === 0) return path;
  if (!path.subarray(0, directory.length).equals(directory)) return undefined;
  if (path.length === directory.length) return ROOT_PATH;
  return path[directory.length] === SLASH
    ? (path.subarray(directory.length + 1) as unknown as RemotePath)
    : undefined;
}

/** A path as its directory and last name. The root has neither: throws EBUSY, as the kernel does for a mount's root. */
export function splitPath(path: RemotePath): { parent: RemotePath; name: Buffer } {
  if (path.length === 0) throw new Failure('EBUSY', 'the home itself cannot be changed');
  const slash = path.lastIndexOf(SLASH);
  return {
    parent: path.subarray(0, Math.max(slash, 0)) as unknown as RemotePath,
    name: path.subarray(slash + 1) as Buffer,
  };
}
