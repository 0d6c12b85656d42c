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

/** File data that an `open` may bring along: a file of this size is read in one round trip. */
export const MAX_PREFETCH = 128 * KiB;

/** Plaintext of one record: the data and the message around it. */
export const MAX_RECORD = MAX_DATA + 64 * KiB;

/** Plaintext of one record of a session that is not logged in yet. */
export const MAX_RECORD_BEFORE_LOGIN = 4 * KiB;

/** One Noise handshake message (the Noise specification allows 65,535). */
export const MAX_HANDSHAKE_MESSAGE = 4 * KiB;

/** Records sealed with one key before the key is replaced (Noise REKEY); far below the nonce's 2^64. */
export const RECORDS_PER_KEY = 2 ** 20;

/** A path in bytes, and one name in it (PATH_MAX, NAME_MAX of Linux). */
export const MAX_PATH = 4095;
export const MAX_NAME = 255;

/** Nesting and element count of a msgpack value; what the deepest message needs, with room. */
export const MAX_NESTING = 6;
export const MAX_ELEMENTS = 65_536;

/** Requests of one session that are not answered yet. */
export const MAX_CALLS = 256;

/** Bytes of file data, asked for or sent, in requests of one session that are not answered yet. */
export const MAX_BYTES_IN_FLIGHT = 16 * MiB;

/** Open handles (files, cursors, uploads) of one session. */
export const MAX_HANDLES = 16_384;

/** Entries in one page of a directory listing. */
export const MAX_PAGE_ENTRIES = 1024;

/** Items of one `changed` notification. */
export const MAX_CHANGES = 1024;

/** User names: bytes of UTF-8. The characters are restricted by ids.ts. */
export const MAX_USER_NAME = 32;

/** Passwords: bytes. */
export const MAX_PASSWORD = 1024;

/** Other texts: versions, messages of errors. */
export const MAX_TEXT = 1024;

/** Uploads are resumed at multiples of this: where both sides keep the MD5 state. */
export const CHECKPOINT_BYTES = 16 * MiB;

/** A peer that sent nothing for this long (milliseconds) is probed by `ping`; then, after as long again, dropped. */
export const KEEPALIVE_MS = 15_000;

/** Connecting and shaking hands, together (milliseconds). */
export const HANDSHAKE_MS = 15_000;

/** From the end of the handshake to a login (milliseconds): a person types a password, three tries. */
export const LOGIN_MS = 120_000;

/** How long the server keeps handles and answers of a client that lost its connection (milliseconds). */
export const RESUME_MS = 120_000;
