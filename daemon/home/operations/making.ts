/*
 * Operations that make files and names: CREATE, MKDIR, SYMLINK, LINK, TMPFILE.
 *
 * A name that is taken (EEXIST) is looked at then, and only then: if it leads to the file that was to be made, the operation was
 * carried out before, and only what may be missing is done again (mode, times).
 */
import { Failure } from '../../../protocol/failure.js';
import type { Create, Link, Mkdir, Symlink, Tmpfile } from '../../../protocol/operations.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { fchmod } from '../../../posix/files.js';
import {
  O_CREAT,
  O_EXCL,
  O_RDWR,
  PERMISSIONS,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISGID,
  S_ISUID,
} from '../../../posix/flags.js';
import {
  fchmodat,
  linkat,
  linkOpen,
  mkdirat,
  mknodat,
  readlinkat,
  symlinkat,
  unlinkat,
} from '../../../posix/names.js';
import { statxFd, type Status } from '../../../posix/status.js';
import { closingOnFailure, statusAt, statusIfAny } from '../disk/confined.js';
import { idOf, isDirectory, isId } from '../disk/file-ids.js';
import { GRANTED_FILE_MODE } from '../quota/granted-inodes.js';
import { chargingInode } from '../quota/growth.js';
import type { Directory } from '../files/identities.js';
import { leftOf, type HomeParts, type Lane, type Left } from './operation-parts.js';
import { timesOfNew } from './operation-times.js';
import { diskMode, diskType, isDevice, type OwnerRecord } from '../files/owner-record.js';

/** They reach the disk of no file; of a directory S_ISGID does, which means something else. */
const SET_ID = S_ISUID | S_ISGID;

export class Making {
  readonly #home: HomeParts;

  constructor(home: HomeParts) {
    this.#home = home;
  }

  /** EPERM: devices would reach beyond the home; where owners are virtual, so are they. */
  create(op: Create, lane: Lane): Left {
    const type = op.mode & S_IFMT || S_IFREG;
    const { times, identities, owners } = this.#home;
    const mayBe = [S_IFREG, S_IFIFO, S_IFSOCK].includes(type) || (isDevice(type) && owners.enabled);
    if (!mayBe) throw new Failure('EPERM', 'only regular files, FIFOs and sockets are made');
    const directory = this.#directoryFor(op);
    const record = this.#recordOf(op, directory, type | (op.mode & PERMISSIONS), op.rdev);
    const mode = record === undefined ? op.mode & PERMISSIONS & ~SET_ID : diskMode(record.mode);
    const { id, name } = op;
    const granted = diskType(type) === S_IFREG && id !== null && lane.client.grant.inodes.hasFile(id);
    const made = this.#makeFile(op, lane, directory, diskType(type) | mode, granted);
    if (typeof made === 'string') {
      if (record !== undefined) this.#record(directory, name, made, record);
      else if (made === 'before') fchmodat(directory.fd, name, mode);
      return this.#left(op, lane, directory, times.ofName(directory.fd, name, timesOfNew(op.time)));
    }
    if (record !== undefined) {
      closingOnFailure(made, () => {
        owners.made({ fd: made }, granted ? id : idOf(statxFd(made)), record);
      });
    }
    if (!granted || !times.inBatch) {
      const status = closingOnFailure(made, () => times.ofOpen(made, timesOfNew(op.time)));
      identities.opened(idOf(status), made);
      return this.#left(op, lane, directory, status);
    }
    identities.opened(id, made);
    identities.learnId(id, directory.ino, name);
    times.ofNew(made, id.ino, op.time);
    times.ofDirectory(directory, op.time);
    return { directories: [directory] };
  }

  mkdir(op: Mkdir, lane: Lane): Left {
    const { inodes } = lane.client.grant;
    const { id, name } = op;
    const directory = this.#directoryFor(op);
    const granted = id !== null && inodes.hasDirectory(id);
    const record = this.#recordOf(op, directory, S_IFDIR | (op.mode & PERMISSIONS));
    const made = this.#make(op, lane, directory, S_IFDIR, () =>
      granted ? inodes.nameDirectory(id, directory.fd, name) : mkdirat(directory.fd, name, op.mode),
    );
    if (record !== undefined) {
      this.#record(directory, name, made, record);
    } else {
      const before = statusAt(directory.fd, name);
      // A new directory has the set-group-id bit of the one that it is in.
      const inherited = made === 'new' && !granted ? before.mode & S_ISGID : 0;
      const mode = (op.mode & PERMISSIONS & ~S_ISUID) | inherited;
      if ((before.mode & PERMISSIONS) !== mode) fchmodat(directory.fd, name, mode);
    }
    return this.#left(op, lane, directory, this.#home.times.ofName(directory.fd, name, timesOfNew(op.time)));
  }

  symlink(op: Symlink, lane: Lane): Left {
    const directory = this.#directoryFor(op);
    const made = this.#make(op, lane, directory, S_IFLNK, () => symlinkat(op.target, directory.fd, op.name));
    if (made === 'before' && !readlinkat(directory.fd, op.name).equals(op.target)) throw exists();
    const record = this.#recordOf(op, directory, S_IFLNK | 0o777);
    if (record !== undefined) this.#record(directory, op.name, made, record);
    const status = this.#home.times.ofName(directory.fd, op.name, timesOfNew(op.time));
    return this.#left(op, lane, directory, status);
  }

  /** EOPNOTSUPP where the disk has no files without a name. */
  tmpfile(op: Tmpfile, lane: Lane): Left {
    const { identities, tree, times, owners } = this.#home;
    const directory = identities.directoryOf(op.directory);
    lane.client.held.requireRoom();
    const record = this.#recordOf(op, directory, S_IFREG | op.mode);
    const mode = record === undefined ? op.mode & ~SET_ID : diskMode(record.mode);
    lane.account.reserve(0, 1);
    try {
      const fd = tree.openUnnamed(directory.fd, mode);
      return closingOnFailure(fd, () => {
        if (record !== undefined) owners.made({ fd }, idOf(statxFd(fd)), record);
        const status = times.ofOpen(fd, timesOfNew(op.time));
        lane.client.held.adopt(fd);
        return { file: leftOf(this.#home, { fd, status }) };
      });
    } catch (error) {
      lane.account.release(0, 1);
      throw error;
    }
  }

  link(op: Link, lane: Lane): Left {
    const { identities, times, held } = this.#home;
    const { name, time } = op;
    const file = identities.file(op.file);
    held.freeing.requireIdle(file.status.ino);
    if (isDirectory(file.status)) throw new Failure('EPERM', 'a directory has one name');
    // As the kernel says of a file without a name: restoring it is another thing.
    if (held.isTrashed(file.status.ino)) throw new Failure('ENOENT', 'the file has no name any more');
    const directory = this.#directoryFor(op);
    lane.account.prepare();
    try {
      if ('fd' in file) linkOpen(file.fd, directory.fd, name);
      else linkat(file.directory, file.name, directory.fd, name, 0);
    } catch (error) {
      if (!lane.replay || !this.#leadsTo(error, directory, name, file.status)) throw error;
    }
    const status = statusAt(directory.fd, name);
    if (!isId(status, idOf(file.status))) {
      unlinkat(directory.fd, name, 0);
      throw new Failure('ESTALE', 'the file was exchanged meanwhile');
    }
    identities.learn(status, directory.ino, name);
    this.#home.moved(status.ino);
    times.ofDirectory(directory, time);
    const shown = times.shown(status, time);
    return {
      file: leftOf(this.#home, { directory: directory.fd, name, status: shown }),
      directories: [directory],
    };
  }

  #directoryFor({ directory, name }: Create | Mkdir | Symlink | Link): Directory {
    const found = this.#home.identities.directoryOf(directory);
    this.#home.identities.refuseReserved(found, name, 'new');
    this.#home.places.requireOutside(found);
    return found;
  }

  /** Makes a file of mode `mode`, of the granted inode if it is one: its descriptor if it is a regular one. */
  #makeFile(
    op: Create,
    lane: Lane,
    directory: Directory,
    mode: number,
    granted: boolean,
  ): Fd | 'new' | 'before' {
    const { id, name } = op;
    const permissions = mode & PERMISSIONS;
    let fd: Fd | undefined;
    const made = this.#make(op, lane, directory, mode & S_IFMT, () => {
      if (granted && id !== null) fd = lane.client.grant.inodes.nameFile(id, directory.fd, name);
      else if ((mode & S_IFMT) !== S_IFREG) mknodat(directory.fd, name, mode, 0);
      else fd = this.#home.tree.openAt(directory.fd, name, O_RDWR | O_CREAT | O_EXCL, permissions);
    });
    if (fd === undefined) return made;
    return closingOnFailure(fd, (open) => {
      if (granted && permissions !== GRANTED_FILE_MODE) fchmod(open, permissions);
      return open;
    });
  }

  /** Makes a name that charges an inode; 'before' where this operation had made it. EDQUOT, EEXIST. */
  #make(
    op: Create | Mkdir | Symlink,
    lane: Lane,
    directory: Directory,
    type: number,
    make: () => void,
  ): 'new' | 'before' {
    try {
      chargingInode(lane.account, directory.fd, op.name, make);
      return 'new';
    } catch (error) {
      if (!isTaken(error)) throw error;
      const there = statusIfAny(directory.fd, op.name);
      const wasMade =
        there !== undefined &&
        (there.mode & S_IFMT) === type &&
        (lane.replay || (op.id !== null && isId(there, op.id)));
      if (!wasMade) throw error;
      return 'before';
    }
  }

  #left(op: Create | Mkdir | Symlink, lane: Lane, directory: Directory, status: Status): Left {
    const { identities, times } = this.#home;
    identities.learn(status, directory.ino, op.name);
    times.ofDirectory(directory, op.time);
    const unknownId = op.id === null || !isId(status, op.id);
    if (op.id !== null && unknownId) lane.client.provisional.set(op.id, idOf(status));
    // Its client is told what it cannot know, also in a batch.
    const file = { directory: directory.fd, name: op.name, status };
    const told = unknownId ? this.#home.owners.told(file) : leftOf(this.#home, file);
    return { file: told, unknownId, directories: [directory] };
  }

  /** What a new file is to be told by; undefined: the account has no virtual owners. */
  #recordOf(
    { owner }: Pick<Create | Mkdir | Symlink | Tmpfile, 'owner'>,
    { fd }: Directory,
    mode: number,
    rdev = 0,
  ): OwnerRecord | undefined {
    const { owners, times } = this.#home;
    if (!owners.enabled) return undefined;
    const isSaid = owner !== null && owner !== undefined;
    // A log says what its client made of it, in the directory as it was then.
    if (isSaid && times.inBatch) return { mode, uid: owner.uid, gid: owner.gid, rdev };
    const parent = owners.told({ fd, status: statxFd(fd) });
    const inherits = (parent.mode & S_ISGID) !== 0;
    const inherited = inherits && (mode & S_IFMT) === S_IFDIR ? S_ISGID : 0;
    return {
      mode: mode | inherited,
      uid: isSaid ? owner.uid : parent.uid,
      gid: isSaid && !inherits ? owner.gid : parent.gid,
      rdev,
    };
  }

  /** A name was made, now or before: it is told by the record from now on. */
  #record(directory: Directory, name: Buffer, made: 'new' | 'before', record: OwnerRecord): void {
    const { owners } = this.#home;
    const status = statusAt(directory.fd, name);
    const file = { directory: directory.fd, name, status };
    const isAsMade = made === 'new' && status.mode === (diskType(record.mode) | diskMode(record.mode));
    if (isAsMade) owners.made(file, idOf(status), record);
    else owners.set(file, record);
  }

  #leadsTo(error: unknown, directory: Directory, name: Buffer, file: Status): boolean {
    if (!isTaken(error)) return false;
    const there = statusIfAny(directory.fd, name);
    return there !== undefined && isId(there, idOf(file));
  }
}

function isTaken(error: unknown): boolean {
  return (error instanceof PosixError || error instanceof Failure) && error.code === 'EEXIST';
}

function exists(): Failure {
  return new Failure('EEXIST', 'the name exists');
}
