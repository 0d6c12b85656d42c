/**
 * How much file data a request asks for or sends, and its answer brings: what the window counts, and what a client takes
 * from a server. The values of extended attributes count as data.
 */
import { dataLength, type Data } from '../codec.js';
import type { MethodName, Result } from '../methods.js';
import { MAX_XATTR_VALUE } from '../limits.js';
import { SETXATTR, WRITE } from '../operations.js';

/** Bytes that a request asks for. */
export function bytesAsked(method: MethodName, params: readonly unknown[]): number {
  switch (method) {
    case 'read':
    case 'downloadRead':
      return Number(params[2]);
    case 'fetch':
    case 'xattrs':
      return Number(params[1]);
    case 'xattr':
      return MAX_XATTR_VALUE;
    default:
      return 0;
  }
}

/**
 * Bytes that a request sends. `params` in their wire form or as the row of METHODS yields them; `data` is the last parameter
 * where it travels apart from the others.
 */
export function bytesSent(method: MethodName, params: readonly unknown[], data?: Data): number {
  switch (method) {
    case 'uploadWrite':
      return bytesOf(data ?? params[2]);
    case 'uploadHole': // Its zeros are hashed as what was sent is.
      return Number(params[2]);
    case 'uploadFinish':
      return valueBytes(params[2]);
    case 'uploadFiles': {
      let bytes = bytesOf(data ?? params[1]);
      for (const file of params[0] as readonly (readonly unknown[])[]) bytes += valueBytes(file[6]);
      return bytes;
    }
    case 'change':
      return operationBytes(params[1]) + bytesOf(data ?? params[2]);
    case 'apply': {
      let bytes = bytesOf(data ?? params[2]);
      for (const operation of params[1] as readonly unknown[]) bytes += operationBytes(operation);
      return bytes;
    }
    default:
      return 0;
  }
}

/** Bytes that a result of the right shape brings. */
export function bytesAnswered(method: MethodName, result: unknown): number {
  switch (method) {
    case 'read':
    case 'downloadRead':
    case 'xattr':
      return (result as Result<'read'>).length;
    case 'xattrs': {
      let bytes = 0;
      for (const xattrs of result as Result<'xattrs'>) {
        for (const [, value] of xattrs ?? []) bytes += value?.length ?? 0;
      }
      return bytes;
    }
    case 'fetch': {
      let bytes = 0;
      for (const file of result as Result<'fetch'>) bytes += file === null ? 0 : file[1].length;
      return bytes;
    }
    default:
      return 0;
  }
}

/** Bytes within an operation, packed or not. */
function operationBytes(operation: unknown): number {
  if (Array.isArray(operation)) {
    return operation[0] === WRITE || operation[0] === SETXATTR ? bytesOf(operation[4]) : 0;
  }
  const { data, value } = operation as { readonly data?: unknown; readonly value?: unknown };
  return bytesOf(data ?? value);
}

/** Of extended attributes, [name, value] each; nil: there are none. */
function valueBytes(xattrs: unknown): number {
  let bytes = 0;
  for (const [, value] of (xattrs ?? []) as readonly (readonly unknown[])[]) bytes += bytesOf(value);
  return bytes;
}

function bytesOf(data: unknown): number {
  return data instanceof Uint8Array || Array.isArray(data) ? dataLength(data) : 0;
}
