/** Writes FUSE messages out by hand, field by field, for the tests: independent of the code that they test. */

/** Fields of a struct, one after the other, little-endian. */
export const u16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
};
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
export const i32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};
export const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
export const i64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
};
/** A name as in requests: with its NUL. */
export const name = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1');
export const zeros = (length: number): Buffer => Buffer.alloc(length);

/** What every request of these tests has in its header. */
export const UNIQUE = 0x1122;
export const NODE = 7;
export const CALLER = { uid: 1000, gid: 1001, pid: 4242 };

/** struct fuse_in_header and a body. */
export function request(opcode: number, ...fields: Buffer[]): Buffer {
  const body = Buffer.concat(fields);
  return Buffer.concat([
    u32(40 + body.length), // len
    u32(opcode), // opcode
    u64(UNIQUE), // unique
    u64(NODE), // nodeid
    u32(CALLER.uid), // uid
    u32(CALLER.gid), // gid
    u32(CALLER.pid), // pid
    u16(0), // total_extlen
    u16(0), // padding
    body,
  ]);
}

/** struct fuse_out_header and a body. */
export function reply(errno: number, ...fields: Buffer[]): Buffer {
  const body = Buffer.concat(fields);
  return Buffer.concat([
    u32(16 + body.length), // len
    i32(-errno), // error
    u64(UNIQUE), // unique
    body,
  ]);
}
