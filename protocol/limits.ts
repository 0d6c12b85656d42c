/**
 * Every bound of the wire, in one place. Both sides enforce them before they allocate or act; changing one is a
 * change of the protocol (protocol.md, Limits).
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Default TCP port of the daemon. */
export const DEFAULT_PORT = 8083;

/** File data in one read or write: what one FUSE request can carry. */
export const MAX_DATA = 1 * MiB;

/** Plaintext of one record: the data and the message around it, which may hold two paths. */
export const MAX_RECORD = MAX_DATA + 192 * KiB;

/** Plaintext of one record of a session that is not logged in yet. */
export const MAX_RECORD_BEFORE_LOGIN = 4 * KiB;

/** One Noise handshake message (the Noise specification allows 65,535). */
export const MAX_HANDSHAKE_MESSAGE = 4 * KiB;

/** Records sealed with one key before the key is replaced (Noise REKEY); far below the nonce's 2^64. */
export const RECORDS_PER_KEY = 2 ** 20;

/** A path in bytes: trees are deeper than PATH_MAX where people walk down by `cd`. One name in it (NAME_MAX of Linux). */
export const MAX_PATH = 65_535;
/** Names in a path, as many as fit PATH_MAX: each is a step that the server walks. */
export const MAX_PATH_NAMES = 2048;
export const MAX_NAME = 255;

/** The target of a symbolic link (PATH_MAX of Linux). */
export const MAX_TARGET = 4095;

/** The name of an extended attribute and its value (XATTR_NAME_MAX and XATTR_SIZE_MAX of Linux). */
export const MAX_XATTR_NAME = 255;
export const MAX_XATTR_VALUE = 65_536;
/** Extended attributes of one file: so many of the shortest names fit into what Linux lists (XATTR_LIST_MAX). */
export const MAX_XATTRS = 9362;
/** Values of one file that are told with its names, in bytes. */
export const MAX_XATTRS_TOLD = 4 * KiB;

/** Nesting and element count of a msgpack value; what the deepest message needs, with room. */
export const MAX_NESTING = 6;
export const MAX_ELEMENTS = 65_536;

/** Requests of one session that are not answered yet: so many of `apply`, and so many others (window.ts). */
export const MAX_CALLS = 256;

/** Bytes of file data, asked for or sent, in those requests: so many in `apply`, and so many in others. */
export const MAX_BYTES_IN_FLIGHT = 16 * MiB;

/** Open handles (cursors, uploads, downloads) of one client. */
export const MAX_HANDLES = 16_384;

/** Files of one client that are kept while they are open there, whether they have names or not. A server may allow fewer. */
export const MAX_HELD = 65_536;

/** Entries of one `list`, of one directory or of several. */
export const MAX_PAGE_ENTRIES = 1024;
/** Of a position in a directory. */
export const POSITION_BYTES = 8;

/** Operations of one `apply`. */
export const MAX_OPERATIONS = 1024;
/** Operations of a log without an answer; failures of them that the server remembers. */
export const MAX_OUTCOMES = 8 * MAX_OPERATIONS;

/** Files of one `fetch` or `xattrs`. */
export const MAX_FETCH = 256;

/** Bytes of one COPY: the server copies it in one go, while others wait. */
export const MAX_COPY = 1_048_576;

/** Files of one `uploadFiles`. */
export const MAX_UPLOAD_FILES = 256;

/** Runs of data in one answer of `downloadRuns`: the server looks for them in one go. */
export const MAX_RUNS = 128;

/** Partial uploads in one answer of `uploads`; their paths come to MAX_DATA at most. */
export const MAX_PAGE_UPLOADS = 256;

/** Items of the trash in one answer of `trash`; their paths come to MAX_DATA at most. */
export const MAX_PAGE_TRASH = 256;
/** What names an item of the trash, and a page of it, in bytes. */
export const MAX_TRASH_ID = 512;
export const MAX_TRASH_POSITION = 256;

/** Inode numbers of one kind that a client has been given ahead and has not used. */
export const MAX_GRANTED_INODES = 256;

/** Locks that one client has, of all files together. A range counts one. */
export const MAX_LOCKS = 4096;
/** Requests of one client that wait for locks. */
export const MAX_LOCK_WAITS = 1024;

/** Items of one `lease`, `recall` or `returned`. */
export const MAX_LEASE_ITEMS = 1024;
/** Units of leases that a client has room for, at least. */
export const MAX_LEASED_UNITS = 262_144;

/** How many changes of one client, awaited one by one, may be without an answer: the server remembers which were made. */
export const MAX_CHANGES = 256;

/** Names of users and shares: bytes of UTF-8. The characters are restricted by ids.ts. */
export const MAX_USER_NAME = 32;

/** Shares of one user. */
export const MAX_SHARES = 64;

/** Passwords: bytes. */
export const MAX_PASSWORD = 1024;

/** Other texts: versions, messages of errors: bytes of UTF-8. */
export const MAX_TEXT = 1024;

/** A peer that sent nothing for this long (milliseconds) is probed by `ping`; then, after as long again, dropped. */
export const KEEPALIVE_MS = 15_000;

/** A server that does not read from a client, as requests of it wait, says so at least so often (milliseconds). */
export const BUSY_MS = 1_000;

/** Connecting and shaking hands, together (milliseconds). */
export const HANDSHAKE_MS = 15_000;

/** From the end of the handshake to a login (milliseconds): a person types a password, three tries. */
export const LOGIN_MS = 120_000;

/**
 * How long a lease is good after the last word of the server, and for the server after the last word of the client, where the
 * server is not set up otherwise, and what it may be set up to (milliseconds).
 */
export const LEASE_TERM_MS = 30_000;
export const MIN_LEASE_TERM_MS = 2_000;
export const MAX_LEASE_TERM_MS = 3_600_000;

/** How long a client may believe what the server cannot watch on its disk. */
export const UNWATCHED_MS = 3_000;

/** How long the server keeps the open files and handles of a client that lost its connection (milliseconds). */
export const RESUME_MS = 24 * 3_600_000;
