/*
 * fanotify(7): who changed what in directories, and in files, that are marked one by one. Needs no privilege (Linux 5.13);
 * before that, CAP_SYS_ADMIN.
 *
 * The kernel says of each event whether a thread of this process caused it: so what a process does itself is told apart for
 * certain, which inotify(7) cannot. A marked file is known by its handle (name_to_handle_at(2)), which it keeps while
 * it exists and shares with none before or after it.
 *
 * Invariant: a mark goes with its file, and all of them with the group; nothing else removes them but unmark().
 */
import { fd, type Fd } from './fd.js';
import { close } from './files.js';
import { O_CLOEXEC, O_RDONLY } from './flags.js';
import { checked, firstName, systemCall } from './libc.js';
import { readAvailable } from './readiness.js';

const arm64 = process.arch === 'arm64';
const sysInit = systemCall<[number, number]>(arm64 ? 262 : 300, ['unsigned int', 'unsigned int']);
const sysMark = systemCall<[Fd, number, number, Fd, Uint8Array]>(arm64 ? 263 : 301, [
  'int',
  'unsigned int',
  'uint64_t',
  'int',
  'const uint8_t *',
]);
const sysHandle = systemCall<[Fd, Uint8Array, Uint8Array, Uint8Array, number]>(arm64 ? 264 : 303, [
  'int',
  'const uint8_t *',
  'uint8_t *',
  'uint8_t *',
  'int',
]);

// linux/fanotify.h
const FAN_CLOEXEC = 0x1;
const FAN_NONBLOCK = 0x2;
const FAN_REPORT_FID = 0x200;
const FAN_REPORT_DIR_FID = 0x400;
const FAN_REPORT_NAME = 0x800;
const FAN_MARK_ADD = 0x1;
const FAN_MARK_REMOVE = 0x2;
const FAN_MARK_DONT_FOLLOW = 0x4;
const FAN_MODIFY = 0x2;
const FAN_ATTRIB = 0x4;
/** Of a file that was open for writing: what was written by mmap(2) is told by nothing else. */
const FAN_CLOSE_WRITE = 0x8;
const FAN_MOVED_FROM = 0x40;
const FAN_MOVED_TO = 0x80;
const FAN_CREATE = 0x100;
const FAN_DELETE = 0x200;
const FAN_DELETE_SELF = 0x400;
const FAN_MOVE_SELF = 0x800;
const FAN_Q_OVERFLOW = 0x4000;
const FAN_EVENT_ON_CHILD = 0x0800_0000;
const FAN_ONDIR = 0x4000_0000;

const OF_FILE = FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE | FAN_DELETE_SELF | FAN_MOVE_SELF;
const OF_NAMES = FAN_MOVED_FROM | FAN_MOVED_TO | FAN_CREATE | FAN_DELETE;
const OF_DIRECTORY = OF_FILE | OF_NAMES | FAN_EVENT_ON_CHILD | FAN_ONDIR;

/** struct fanotify_event_metadata: where its fields are, and where its records begin. */
const MASK = 8;
const PID = 20;
const METADATA_BYTES = 24;
/** struct fanotify_event_info_fid, up to its handle; then the handle, and for some types a name that ends with NUL. */
const HANDLE = 12;
const INFO_TYPE_DFID_NAME = 2;

/** struct file_handle: its length, its type, and up to MAX_HANDLE_SZ bytes. */
const HANDLE_HEAD = 8;
const MAX_HANDLE = 128;

const SELF = Buffer.from('.');

/** What happened to a marked file, or to one in a marked directory. */
export interface FileEvent {
  /** It was a thread of this process. */
  readonly own: boolean;
  /** The file itself is no more. */
  readonly deleted: boolean;
  /** A name was made. */
  readonly named: boolean;
  /** The handles of marked files that it may be about: of the directory, of the file. */
  readonly handles: readonly string[];
  /** In the directory of the first handle; undefined: the file itself, or not known. */
  readonly name: Buffer | undefined;
}

/** Events were lost: anything may have happened. */
export type Events = FileEvent[] | 'overflow';

/** A group of marks, and the queue of what happened to what they are on. */
export class Fanotify {
  readonly fd: Fd;
  readonly #handle = Buffer.alloc(HANDLE_HEAD + MAX_HANDLE);
  readonly #mountId = Buffer.alloc(8);
  readonly #events = Buffer.allocUnsafeSlow(65_536);

  /** ENOSYS, EINVAL: an older kernel. EPERM: not allowed here. EMFILE: too many groups of this user. */
  constructor() {
    const flags = FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME;
    this.fd = fd(checked(sysInit(flags, O_RDONLY | O_CLOEXEC), 'fanotify_init'));
  }

  close(): void {
    close(this.fd);
  }

  /**
   * Marks a directory, which a name leads to or `.` of itself, with what is in it; its handle. EACCES: it may not be read.
   * ENOSPC: too many marks of this user. EOPNOTSUPP, ENODEV, EXDEV: the file system has no such thing.
   */
  markDirectory(directory: Fd, name: Buffer = SELF): string {
    return this.#mark(directory, name, OF_DIRECTORY);
  }

  /** Marks a file that is no directory, a symbolic link itself; as markDirectory(). */
  markFile(directory: Fd, name: Buffer): string {
    return this.#mark(directory, name, OF_FILE);
  }

  unmarkDirectory(directory: Fd, name: Buffer): void {
    this.#change(FAN_MARK_REMOVE, directory, name, OF_DIRECTORY);
  }

  unmarkFile(directory: Fd, name: Buffer): void {
    this.#change(FAN_MARK_REMOVE, directory, name, OF_FILE);
  }

  /** The next events; undefined: there are none now. Own ones are left out, but for what tells that a file is no more. */
  read(): Events | undefined {
    const bytes = readAvailable(this.fd, this.#events);
    return bytes === undefined ? undefined : foreignEvents(this.#events, bytes);
  }

  #mark(directory: Fd, name: Buffer, mask: number): string {
    this.#change(FAN_MARK_ADD, directory, name, mask);
    this.#handle.writeUInt32LE(MAX_HANDLE);
    const path = firstName.of(name, 'name_to_handle_at');
    checked(sysHandle(directory, path, this.#handle, this.#mountId, 0), 'name_to_handle_at');
    return handleAt(this.#handle, 0);
  }

  #change(action: number, directory: Fd, name: Buffer, mask: number): void {
    const path = firstName.of(name, 'fanotify_mark');
    checked(sysMark(this.fd, action | FAN_MARK_DONT_FOLLOW, mask, directory, path), 'fanotify_mark');
  }
}

/** A handle as a string: its type and its bytes. */
function handleAt(buffer: Buffer, at: number): string {
  return buffer.toString('latin1', at + 4, at + HANDLE_HEAD + buffer.readUInt32LE(at));
}

/** Own events come by the thousand: of them only the heads are looked at. */
function foreignEvents(buffer: Buffer, bytes: number): Events {
  const events: FileEvent[] = [];
  for (let at = 0; at < bytes;) {
    const end = at + buffer.readUInt32LE(at);
    const mask = buffer.readUInt32LE(at + MASK);
    if ((mask & FAN_Q_OVERFLOW) !== 0) return 'overflow';
    const own = buffer.readInt32LE(at + PID) === process.pid;
    if (!own || (mask & FAN_DELETE_SELF) !== 0) events.push(eventAt(buffer, at, end, mask, own));
    at = end;
  }
  return events;
}

function eventAt(buffer: Buffer, start: number, end: number, mask: number, own: boolean): FileEvent {
  const handles: string[] = [];
  let name: Buffer | undefined;
  for (let at = start + METADATA_BYTES; at < end;) {
    const next = at + buffer.readUInt16LE(at + 2);
    handles.push(handleAt(buffer, at + HANDLE));
    if (buffer[at] === INFO_TYPE_DFID_NAME) {
      const from = at + HANDLE + HANDLE_HEAD + buffer.readUInt32LE(at + HANDLE);
      const found = Buffer.from(buffer.subarray(from, buffer.indexOf(0, from)));
      if (!found.equals(SELF)) name = found;
    }
    at = next;
  }
  const deleted = (mask & FAN_DELETE_SELF) !== 0;
  return { own, deleted, named: (mask & (FAN_CREATE | FAN_MOVED_TO)) !== 0, handles, name };
}
