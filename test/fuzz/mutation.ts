/*
 * Inputs that are nearly right: bytes and values that were valid, changed in a few places, with what lies at the bounds.
 */
import type { Random } from '../lib/random.js';

const NUMBERS: readonly unknown[] = [
  ...[0, 1, 2, 127, 128, 255, 256, 4095, 4096, 65_535, 65_536, 2 ** 20, 2 ** 20 + 1],
  ...[
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53 - 1,
    2 ** 53,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 1n,
  ],
  ...[-1, -128, -(2 ** 31), -(2 ** 53), -(2n ** 63n), 0.5, -0, NaN, Infinity, -Infinity, 1e300],
];

const TEXTS: readonly string[] = [
  '',
  '.',
  '..',
  '/',
  'a',
  'a/b',
  '../a',
  'a\0b',
  '<script>',
  '\u202ea',
  'ü',
  '\n',
];

const LENGTHS: readonly number[] = [0, 1, 8, 15, 16, 17, 32, 255, 256, 4095, 4096, 65_535, 65_536];

export function oneOf<T>(random: Random, all: readonly T[]): T {
  return all[random(all.length)] as T;
}

/** Any value that a message can hold. */
export function anyValue(random: Random, depth = 3): unknown {
  switch (random(depth > 0 ? 7 : 6)) {
    case 0:
      return null;
    case 1:
      return random(2) === 0;
    case 2:
      return oneOf(random, NUMBERS);
    case 3:
      return oneOf(random, TEXTS);
    case 4:
      return Buffer.from(oneOf(random, TEXTS));
    case 5:
      return Buffer.alloc(oneOf(random, LENGTHS), random(256));
    default:
      return Array.from({ length: random(5) }, () => anyValue(random, depth - 1));
  }
}

/** The value with a part of it replaced, left out, doubled or cut; now and then as it is. */
export function mutateValue(random: Random, value: unknown): unknown {
  if (!Array.isArray(value) || random(6) === 0) return random(8) === 0 ? value : anyValue(random);
  const parts: unknown[] = [...(value as unknown[])];
  const at = random(parts.length + 1);
  switch (random(8)) {
    case 0:
      parts.splice(at, 1);
      break;
    case 1:
      parts.splice(at, 0, anyValue(random));
      break;
    case 2:
      if (at < parts.length) parts.splice(at, 0, ...Array.from({ length: random(40) }, () => parts[at]));
      break;
    default:
      if (at < parts.length) parts[at] = mutateValue(random, parts[at]);
  }
  return parts;
}

/** A copy of the bytes with some of them changed, left out, put in or doubled. */
export function mutateBytes(random: Random, bytes: Uint8Array): Buffer {
  let mutated = Buffer.from(bytes);
  for (let changes = random(4); changes >= 0; changes--) {
    const at = random(mutated.length + 1);
    const length = random(Math.min(9, mutated.length - at + 1));
    const before = mutated.subarray(0, at);
    switch (random(5)) {
      case 0:
        if (at < mutated.length) mutated[at] = (mutated[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        if (at < mutated.length) mutated[at] = oneOf(random, [0, 0x7f, 0x80, 0xc0, 0xc6, 0xdd, 0xff]);
        break;
      case 2:
        mutated = Buffer.concat([before, mutated.subarray(at + length)]);
        break;
      case 3:
        mutated = Buffer.concat([before, mutated.subarray(at, at + length), mutated.subarray(at)]);
        break;
      default:
        mutated =
          random(4) === 0
            ? Buffer.from(before)
            : Buffer.concat([before, noise(random), mutated.subarray(at)]);
    }
  }
  return mutated;
}

function noise(random: Random): Buffer {
  return Buffer.from(Array.from({ length: random(9) }, () => random(256)));
}

/** The bytes in pieces, as a stream may bring them. */
export function inPieces(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = 1 + random(random(2) === 0 ? 8 : bytes.length);
    pieces.push(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return pieces;
}
