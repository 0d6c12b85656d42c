/*
 * Messages: msgpack-rpc arrays (https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md), each one record.
 *
 *   request       [0, id, method, params]
 *   response      [1, id, error, result]     error: nil or [errno name, text]
 *   notification  [2, method, params]
 *
 * No I/O. File data is always the last element, so encoding gives a head and leaves the data where it is, to be
 * sealed from there. Decoding gives views of the record.
 * Invariant: msgpackr sees no bytes that a bounded scan has not passed: depth, number of elements and every length
 * are known to be in bounds, texts are UTF-8, and types that the protocol has no use for (maps, extensions) are refused.
 * Measured: a small request 0.4 us to encode and 0.4 us to decode, a page of 1024 entries 390 us to decode.
 */
import { isUtf8 } from 'node:buffer';
// Not 'msgpackr': finding and loading its native reader of texts takes each program 24 ms, for 0.15 us a name of a listing.
import { Packr, Unpackr } from 'msgpackr/pack';
import { Failure, failureFrom, withoutControls } from './failure.js';
import { MAX_ELEMENTS, MAX_NESTING, MAX_TEXT } from './limits.js';
import type { MethodName, NotificationName } from './methods.js';

/** A message to send: its pieces in order. */
export type OutgoingMessage = readonly Uint8Array[];
/** File data of a message, where it is. */
export type Data = Uint8Array | readonly Uint8Array[];

export interface RequestMessage {
  readonly kind: 'request';
  readonly id: number;
  /** Any text: whether there is such a method is for the dispatcher to say. */
  readonly method: string;
  readonly params: unknown;
}

export interface ResponseMessage {
  readonly kind: 'response';
  readonly id: number;
  readonly error: Failure | undefined;
  readonly result: unknown;
}

export interface NotificationMessage {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: unknown;
}

/** A message that was received. Its shape is checked, its params and result are not; Buffers in it are views. */
export type IncomingMessage = RequestMessage | ResponseMessage | NotificationMessage;

const REQUEST = 0;
const RESPONSE = 1;
const NOTIFICATION = 2;

const MAX_ID = 0xffff_ffff;

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });
const unpackr = new Unpackr({ useRecords: false });

/** Packs as uint 32: as many bytes as the header of a bin 32, which then replaces it. */
const DATA_PLACEHOLDER = 0xffff_ffff;
const DATA_HEADER = 5;
const BIN_32 = 0xc6;

/** A request; `data`, if there is any, becomes the last parameter. */
export function encodeRequest(
  id: number,
  method: MethodName,
  params: readonly unknown[],
  data?: Data,
): OutgoingMessage {
  return data === undefined
    ? [packr.pack([REQUEST, id, method, params])]
    : withData(packr.pack([REQUEST, id, method, [...params, DATA_PLACEHOLDER]]), data);
}

/** The answer of request `id`: a failure, or a result, or `data` as the result. */
export function encodeResponse(
  id: number,
  failure: Failure | undefined,
  result: unknown,
  data?: Data,
): OutgoingMessage {
  if (failure !== undefined) {
    return [packr.pack([RESPONSE, id, [failure.code, cut(failure.message)], null])];
  }
  return data === undefined
    ? [packr.pack([RESPONSE, id, null, result])]
    : withData(packr.pack([RESPONSE, id, null, DATA_PLACEHOLDER]), data);
}

export function encodeNotification(method: NotificationName, params: readonly unknown[]): OutgoingMessage {
  return [packr.pack([NOTIFICATION, method, params])];
}

/** The number of bytes of `data`. */
export function dataLength(data: Data): number {
  if (data instanceof Uint8Array) return data.length;
  let length = 0;
  for (const piece of data) length += piece.length;
  return length;
}

function withData(head: Buffer, data: Data): OutgoingMessage {
  const header = head.length - DATA_HEADER;
  head[header] = BIN_32;
  head.writeUInt32BE(dataLength(data), header + 1);
  return data instanceof Uint8Array ? [head, data] : [head, ...data];
}

/** The payload of the second handshake message: [server version]. */
export function encodeServerVersion(version: string): Buffer {
  return packr.pack([cut(version)]);
}

/** Reads what encodeServerVersion wrote; a later version may append to it. Throws PROTOCOL. */
export function decodeServerVersion(payload: Buffer): string {
  checkStructure(payload);
  const message: unknown = unpackr.unpack(payload);
  const version: unknown = Array.isArray(message) ? message[0] : undefined;
  if (typeof version === 'string' && Buffer.byteLength(version) <= MAX_TEXT) return withoutControls(version);
  throw new Failure('PROTOCOL', 'the second handshake message does not name a version');
}

/** Decodes one record. Throws PROTOCOL on anything that is not exactly one message. */
export function decodeMessage(record: Buffer): IncomingMessage {
  checkStructure(record);
  const message: unknown = unpackr.unpack(record);
  if (Array.isArray(message)) {
    const [kind, second, third, fourth] = message as unknown[];
    const type = narrow(kind);
    if (type === REQUEST && message.length === 4 && typeof third === 'string') {
      return { kind: 'request', id: requestId(second), method: third, params: fourth };
    }
    if (type === RESPONSE && message.length === 4) {
      return { kind: 'response', id: requestId(second), error: responseError(third), result: fourth };
    }
    if (type === NOTIFICATION && message.length === 3 && typeof second === 'string') {
      return { kind: 'notification', method: second, params: third };
    }
  }
  throw new Failure('PROTOCOL', 'a record is not a message');
}

function requestId(value: unknown): number {
  const id = narrow(value);
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= MAX_ID) return id;
  throw new Failure('PROTOCOL', 'a message has no valid id');
}

/** All forms of an integer are equal: those of 64 bits arrive as a bigint. */
function narrow(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

function responseError(value: unknown): Failure | undefined {
  if (value === null) return undefined;
  if (Array.isArray(value)) {
    const [name, message] = value as unknown[];
    if (typeof name === 'string' && typeof message === 'string' && Buffer.byteLength(message) <= MAX_TEXT) {
      return failureFrom([name, message]);
    }
  }
  throw new Failure('PROTOCOL', 'the error of a response is not [name, text]');
}

/** Elements still to come, by depth; reused, as the scan does not nest. */
const remaining = new Uint32Array(MAX_NESTING + 1);

/** Passes exactly one msgpack value that keeps the limits and fills the bytes; else throws PROTOCOL. */
function checkStructure(bytes: Buffer): void {
  const end = bytes.length;
  let at = 0;
  let depth = 0;
  let elements = 0;
  remaining[0] = 1;
  while (depth >= 0) {
    // In bounds: depth is 0..MAX_NESTING.
    const left = remaining[depth] ?? 0;
    if (left === 0) {
      depth -= 1;
      continue;
    }
    remaining[depth] = left - 1;
    const byte = bytes[at];
    if (byte === undefined) throw malformed('it ends early');
    at += 1;
    elements += 1;
    if (elements > MAX_ELEMENTS) throw malformed('it has too many elements');
    let items = -1;
    // Where the bytes of a text begin.
    let text = -1;
    if (byte <= 0x7f || byte >= 0xe0) continue;
    if (byte >= 0xa0 && byte <= 0xbf) {
      text = at;
      at += byte & 0x1f;
    } else if (byte >= 0x90 && byte <= 0x9f) items = byte & 0x0f;
    else {
      switch (byte) {
        case 0xc0: // nil
        case 0xc2: // false
        case 0xc3: // true
          continue;
        case 0xc4: // bin 8
          at += 1 + unsigned(bytes, at, 1);
          break;
        case 0xc5: // bin 16
          at += 2 + unsigned(bytes, at, 2);
          break;
        case 0xc6: // bin 32
          at += 4 + unsigned(bytes, at, 4);
          break;
        case 0xd9: // str 8
          text = at + 1;
          at = text + unsigned(bytes, at, 1);
          break;
        case 0xda: // str 16
          text = at + 2;
          at = text + unsigned(bytes, at, 2);
          break;
        case 0xdb: // str 32
          text = at + 4;
          at = text + unsigned(bytes, at, 4);
          break;
        case 0xcc: // uint 8
        case 0xd0: // int 8
          at += 1;
          break;
        case 0xcd: // uint 16
        case 0xd1: // int 16
          at += 2;
          break;
        case 0xca: // float 32
        case 0xce: // uint 32
        case 0xd2: // int 32
          at += 4;
          break;
        case 0xcb: // float 64
        case 0xcf: // uint 64
        case 0xd3: // int 64
          at += 8;
          break;
        case 0xdc: // array 16
          items = unsigned(bytes, at, 2);
          at += 2;
          break;
        case 0xdd: // array 32
          items = unsigned(bytes, at, 4);
          at += 4;
          break;
        default:
          throw malformed(`type 0x${byte.toString(16)} is not used`);
      }
    }
    if (text >= 0 && !isText(bytes, text, Math.min(at, end))) throw malformed('a text is not UTF-8');
    if (items >= 0) {
      // Each element takes a byte at least.
      if (items > end - at) throw malformed('it ends early');
      if (depth === MAX_NESTING) throw malformed('it is nested too deep');
      depth += 1;
      remaining[depth] = items;
    }
  }
  if (at !== end) throw malformed(at > end ? 'it ends early' : 'something follows it');
}

/** Whether bytes are UTF-8; quick for names of methods. */
function isText(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if ((bytes[at] ?? 0) > 0x7f) return isUtf8(bytes.subarray(at, end));
  }
  return true;
}

function unsigned(bytes: Buffer, at: number, length: number): number {
  if (at + length > bytes.length) throw malformed('it ends early');
  return bytes.readUIntBE(at, length);
}

function malformed(what: string): Failure {
  return new Failure('PROTOCOL', `a message is not valid msgpack here: ${what}`);
}

/** As much of a text as may travel, and no part of a character. */
function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= MAX_TEXT) return text;
  let end = MAX_TEXT;
  // The bytes that go on with a character are 10xxxxxx.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
