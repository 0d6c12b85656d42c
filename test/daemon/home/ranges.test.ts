/*
 * Operations on ranges of a file: what they do to the disk, that the charge stays the size, and what a second time does.
 */
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  ALLOCATE,
  ALLOCATE_KEEP_SIZE,
  ALLOCATE_PUNCH_HOLE,
  ALLOCATE_ZERO_RANGE,
  COPY,
  type Operation,
} from '../../../protocol/operations.js';
import type { FileRef } from '../../../protocol/references.js';
import { fd as brandFd } from '../../../posix/fd.js';
import { endOfExtents } from '../../../posix/extents.js';
import type { Status } from '../../../posix/status.js';
import { kindOf } from './fixture.js';
import { at, create, mkdir, partsTest, refTo, write } from './home-parts.js';

function allocate(file: FileRef, mode: number, offset: number, length: number, time = at(1)): Operation {
  return { kind: ALLOCATE, file, time, mode, offset, length };
}

/** The size that a change left, and up to where it has gone. */
function sizes(left: readonly Status[]): number[] {
  return left.map(({ size }) => size);
}

interface Range {
  readonly file: FileRef;
  readonly offset: number;
}

function copy(from: Range, to: Range, length: number): Operation {
  const target = { file: to.file, offset: to.offset, time: at(1) };
  return { kind: COPY, ...target, source: from.file, sourceOffset: from.offset, length };
}

partsTest('room that is made is charged by the size', { bytes: 10_000 }, async (t, parts) => {
  const client = parts.client();
  const file = refTo(client.changed(create(parts.home, 'f')));
  const left = client.changed(allocate(file, 0, 1000, 5000));
  t.match(left, { size: 6000, mtime: at(1) });
  t.equal(parts.quota.used.bytes, 6000);
  client.change(allocate(file, 0, 0, 100));
  t.equal(parts.quota.used.bytes, 6000, 'nothing grew');
  t.equal(await kindOf(() => client.change(allocate(file, 0, 6000, 4001))), 'EDQUOT');
  t.equal(statSync(join(parts.directory, 'f')).size, 6000, 'nothing was done');
  client.change(allocate(file, ALLOCATE_ZERO_RANGE, 5000, 5000));
  t.equal(parts.quota.used.bytes, 10_000);
});

partsTest('nothing is set aside beyond the end of a file', { bytes: 10_000 }, async (t, parts) => {
  const client = parts.client();
  const file = refTo(client.changed(create(parts.home, 'f')));
  client.change(write(file, 0, 'data'));
  const { blocks } = statSync(join(parts.directory, 'f'));
  t.match(client.changed(allocate(file, ALLOCATE_KEEP_SIZE, 0, 9000)), { size: 4 });
  t.equal(parts.quota.used.bytes, 4);
  t.ok(statSync(join(parts.directory, 'f')).blocks <= Math.max(blocks, 8), 'but what the file has');
  const tooMuch = allocate(file, ALLOCATE_KEEP_SIZE, 0, 10_001);
  t.equal(await kindOf(() => client.change(tooMuch)), 'EDQUOT', 'what could not be written after');
  client.change(allocate(file, ALLOCATE_ZERO_RANGE | ALLOCATE_KEEP_SIZE, 2, 9000));
  t.equal(readFileSync(join(parts.directory, 'f'), 'utf8'), 'da\0\0');
  const beyond = allocate(file, ALLOCATE_PUNCH_HOLE | ALLOCATE_KEEP_SIZE, 1, 2 ** 40);
  t.match(client.changed(beyond), { size: 4 });
  t.equal(readFileSync(join(parts.directory, 'f'), 'utf8'), 'd\0\0\0');
});

partsTest('more than the disk has is refused as a whole', {}, async (t, parts) => {
  const client = parts.client();
  const file = refTo(client.changed(create(parts.home, 'f')));
  for (const mode of [0, ALLOCATE_KEEP_SIZE]) {
    t.equal(await kindOf(() => client.change(allocate(file, mode, 0, 2 ** 52))), 'ENOSPC');
  }
  t.equal(await kindOf(() => client.change(allocate(file, 0, 2 ** 52, 2 ** 52 + 2 ** 51))), 'EFBIG');
  client.change(write(file, 0, 'data'));
  client.change(write(refTo(client.changed(create(parts.home, 'other'))), 0, 'data'));
  for (const mode of [0, ALLOCATE_KEEP_SIZE]) {
    const nearly = allocate(file, mode, 4, Number.MAX_SAFE_INTEGER - 4);
    t.equal(await kindOf(() => client.change(nearly)), 'EFBIG', 'more than can be counted');
  }
  t.equal(statSync(join(parts.directory, 'f')).size, 4);
});

const MIB = 2 ** 20;
const ALL_MODES = [0, ALLOCATE_ZERO_RANGE, ALLOCATE_PUNCH_HOLE | ALLOCATE_KEEP_SIZE];

partsTest('a long range is not changed in one go', { sliceMs: 0, bytes: 8 * MIB }, (t, parts) => {
  const client = parts.client();
  for (const [at, mode] of ALL_MODES.entries()) {
    const file = refTo(client.changed(create(parts.home, `f${at}`)));
    client.change(write(file, 2 * MIB - 4, 'data'));
    const steps: number[] = [];
    for (let from = 10; from < 2 * MIB + 1000;) {
      const [left, upTo] = client.change(allocate(file, mode, from, 2 * MIB + 1000 - from));
      from = upTo?.size ?? Infinity;
      steps.push(from);
      const grows = (mode & ALLOCATE_KEEP_SIZE) === 0;
      t.equal(left?.size, grows ? Math.max(2 * MIB, from) : 2 * MIB, 'the size is what was done');
    }
    t.ok(steps.length > 1);
    t.equal(steps.at(-1), 2 * MIB + 1000);
    for (const step of steps.slice(0, -1)) t.equal(step % 4096, 0, 'no block is in two steps');
    const { size, blocks } = statSync(join(parts.directory, `f${at}`));
    if ((mode & ALLOCATE_PUNCH_HOLE) !== 0) t.ok(blocks <= 8, 'only the first bytes are left');
    else t.ok(blocks * 512 >= size, 'all of it has room');
  }
});

partsTest('a range of many extents is changed a few at a time', { sliceMs: 0 }, (t, parts) => {
  const client = parts.client();
  const file = refTo(client.changed(create(parts.home, 'f')));
  const [length, distance] = [100, 8192];
  for (let at = 0; at < length; at++) client.change(write(file, at * distance, 'data'));
  const fd = openSync(join(parts.directory, 'f'), 'r');
  const isTold = endOfExtents(brandFd(fd), 0, length * distance, 1) !== undefined;
  closeSync(fd);
  if (!isTold) return t.comment('the file system tells no extents');
  const punch = allocate(file, ALLOCATE_PUNCH_HOLE | ALLOCATE_KEEP_SIZE, 0, length * distance);
  const [, upTo] = client.change(punch);
  t.ok(upTo !== undefined && upTo.size > 0 && upTo.size <= 20 * distance, `up to ${upTo?.size}`);
  t.ok(readFileSync(join(parts.directory, 'f')).includes('data'));
});

partsTest('a range of what is no file, or in a log', {}, async (t, parts) => {
  const client = parts.client();
  const directory = client.changed(mkdir(parts.home, 'd'));
  const file = client.changed(create(parts.home, 'f'));
  t.equal(await kindOf(() => client.change(allocate(refTo(directory), 0, 0, 10))), 'EISDIR');
  t.equal(await kindOf(() => client.log(allocate(refTo(file), 0, 0, 10))), 'EINVAL', 'it is awaited');
});

partsTest('an allocation that was carried out before is the same again', {}, (t, parts) => {
  const client = parts.client();
  const file = refTo(client.changed(create(parts.home, 'f')));
  client.change(write(file, 0, '0123456789'));
  const operations = [
    allocate(file, 0, 5, 20),
    allocate(file, ALLOCATE_PUNCH_HOLE | ALLOCATE_KEEP_SIZE, 1, 2),
    allocate(file, ALLOCATE_ZERO_RANGE, 8, 20),
  ];
  for (const operation of [...operations, ...operations]) client.change(operation);
  t.equal(readFileSync(join(parts.directory, 'f'), 'utf8'), '0\0\x0034567'.padEnd(28, '\0'));
});

partsTest('what the disk takes of a file is copied', { largestFile: 100 }, async (t, parts) => {
  const client = parts.client();
  const from = refTo(client.changed(create(parts.home, 'from')));
  const to = refTo(client.changed(create(parts.home, 'to')));
  client.change(write(from, 0, '0123456789'));
  t.same(sizes(client.change(copy({ file: from, offset: 0 }, { file: to, offset: 95 }, 10))), [100, 100]);
  const beyond = copy({ file: from, offset: 0 }, { file: to, offset: 100 }, 10);
  t.equal(await kindOf(() => client.change(beyond)), 'EFBIG');
});

partsTest('what is copied is charged by the size', { bytes: 100 }, async (t, parts) => {
  const client = parts.client();
  const from = refTo(client.changed(create(parts.home, 'from')));
  const to = refTo(client.changed(create(parts.home, 'to')));
  client.change(write(from, 0, '0123456789'));
  const left = client.changed(copy({ file: from, offset: 2 }, { file: to, offset: 30 }, 5));
  t.match(left, { size: 35, mtime: at(1) });
  t.equal(readFileSync(join(parts.directory, 'to'), 'utf8'), '23456'.padStart(35, '\0'));
  t.equal(parts.quota.used.bytes, 45);
  client.change(copy({ file: from, offset: 0 }, { file: to, offset: 0 }, 10));
  client.change(copy({ file: from, offset: 0 }, { file: from, offset: 10 }, 10));
  t.equal(parts.quota.used.bytes, 55, 'what was there is not charged again');
  const kind = (operation: Operation): Promise<string> => kindOf(() => client.change(operation));
  t.equal(await kind(copy({ file: from, offset: 0 }, { file: to, offset: 80 }, 20)), 'EDQUOT');
  t.equal(await kind(copy({ file: from, offset: 15 }, { file: to, offset: 0 }, 6)), 'ENODATA');
  t.equal(await kind(copy({ file: from, offset: 0 }, { file: from, offset: 1 }, 2)), 'EINVAL');
  t.equal(parts.quota.used.bytes, 55, 'nothing was done');
  t.equal(readFileSync(join(parts.directory, 'from'), 'utf8'), '01234567890123456789');
  const whole = copy({ file: from, offset: 0 }, { file: to, offset: 35 }, 20);
  t.same(sizes(client.change(whole)), [55, 55], 'and up to where');
  client.change(copy({ file: from, offset: 0 }, { file: to, offset: 55 }, 20));
  const short = copy({ file: from, offset: 0 }, { file: to, offset: 65 }, 20);
  t.same(sizes(client.change(short)), [80, 80], 'what fits, as of a write');
  t.equal(parts.quota.used.bytes, 100);
  t.equal(await kind(copy({ file: from, offset: 0 }, { file: to, offset: 80 }, 20)), 'EDQUOT');
  t.same(sizes(client.change(copy({ file: from, offset: 0 }, { file: to, offset: 75 }, 20))), [80, 80]);
});

partsTest('a copy of what is no file, or in a log', {}, async (t, parts) => {
  const client = parts.client();
  const d = { file: refTo(client.changed(mkdir(parts.home, 'd'))), offset: 0 };
  const f = { file: refTo(client.changed(create(parts.home, 'f'))), offset: 0 };
  client.change(write(f.file, 0, 'data'));
  t.equal(await kindOf(() => client.change(copy(d, f, 1))), 'EISDIR');
  t.equal(await kindOf(() => client.change(copy(f, d, 1))), 'EISDIR');
  t.equal(await kindOf(() => client.log(copy(f, f, 1))), 'EINVAL', 'it is awaited');
});
