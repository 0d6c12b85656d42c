import t, { type Test } from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { LEASE_READ, WHOLE_HOME } from '../../../protocol/methods.js';
import { MAX_COPY } from '../../../protocol/limits.js';
import { ALLOCATE, COPY, WRITE } from '../../../protocol/operations.js';
import { failureOf } from '../remote/failure-of.js';
import { attributesOf } from '../tree/planted.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const O_RDONLY = 0;
const O_RDWR = 2;
const PUNCH_HOLE = 3;
const FILE = attributesOf(40, 0o100644, { size: 10 });

t.test(
  'a range is changed behind what was written, and what was known of the data is not any more',
  async (t) => {
    const home = await ScriptedHome.open(t);
    const sent: unknown[] = [];
    home.answers.apply = ([first, operations]) => {
      for (const [kind] of operations as [number][]) sent.push(kind);
      return [Number(first) + (operations as unknown[]).length - 1, 0, 1e9, 1e6, []];
    };
    home.answers.change = ([, operation]) => {
      const [kind, , time, ...range] = operation as unknown[];
      sent.push(kind, time === null, ...range);
      return [
        { ...FILE, size: 12 },
        { ...FILE, size: (range[1] as number) + (range[2] as number) },
      ];
    };
    home.answers.read = () => Buffer.from('of the server');
    await home.own({ file: FILE });
    const { filesystem } = home;
    const node = await home.node('file');
    const { handle } = await filesystem.open(node, O_RDWR, CALLER);
    await filesystem.write(node, handle, 0, Buffer.from('mine here!'), false, CALLER);
    await filesystem.allocate(node, handle, 0, 2, 10, CALLER);
    t.same(sent, [WRITE, ALLOCATE, false, 0, 2, 10], 'with a time of this machine, as it is its own');
    const { attributes } = await filesystem.getattr(node, undefined, CALLER);
    t.equal(attributes.size, 12, 'known without asking');
    const got: string[] = [];
    const reply = (pieces: readonly Buffer[]): unknown => got.push(Buffer.concat(pieces).toString());
    await filesystem.read(node, handle, 0, 13, reply, CALLER);
    t.same(got, ['of the server'.slice(0, 12)]);
    home.server.connection.notifications.lease?.([[WHOLE_HOME, LEASE_READ]]);
    sent.length = 0;
    await filesystem.allocate(node, handle, PUNCH_HOLE, 0, 1, CALLER);
    t.same(sent, [ALLOCATE, true, PUNCH_HOLE, 0, 1], 'else of the server');
  },
);

t.test('where data are is asked for behind what was written', async (t) => {
  const home = await ScriptedHome.open(t);
  const sent: unknown[] = [];
  home.answers.apply = ([first, operations]) => {
    sent.push('written');
    return [Number(first) + (operations as unknown[]).length - 1, 0, 1e9, 1e6, []];
  };
  home.answers.seek = ([, ...range]) => {
    sent.push(...range);
    return 7;
  };
  await home.own({ file: FILE });
  const { filesystem } = home;
  const node = await home.node('file');
  const { handle } = await filesystem.open(node, O_RDWR, CALLER);
  await filesystem.write(node, handle, 10, Buffer.from('more'), false, CALLER);
  t.equal(await filesystem.seek(node, handle, 5, 'hole', CALLER), 7);
  t.same(sent, ['written', 5, true]);
  const beyond = failureOf(async () => filesystem.seek(node, handle, 14, 'data', CALLER));
  t.equal(await beyond, 'ENXIO', 'that is known here');
  t.equal(sent.length, 3);
});

/** A home with a file of some pieces, which is open, and another one; and what copies were asked for: [offset, length]. */
async function copying(t: Test, length: number) {
  const source = attributesOf(41, 0o100644, { size: length });
  const home = await ScriptedHome.open(t);
  await home.own({ source, file: FILE });
  const { filesystem } = home;
  const asked: number[][] = [];
  home.answers.change = ([, operation]) => {
    const [kind, , , offset, , , bytes] = operation as number[];
    t.equal(kind, COPY);
    asked.push([offset ?? -1, bytes ?? -1]);
    return [FILE, { ...FILE, size: (offset ?? 0) + (bytes ?? 0) }];
  };
  const from = await filesystem.open(await home.node('source'), O_RDONLY, CALLER);
  const to = await filesystem.open(await home.node('file'), O_RDWR, CALLER);
  const copy = async (offset: number, most: number): Promise<number> =>
    filesystem.copy(from.handle, offset, to.handle, 100, most, CALLER);
  return { home, asked, copy };
}

t.test('a copy goes piece by piece, as far as the source goes', async (t) => {
  const { asked, copy } = await copying(t, 2 * MAX_COPY + 5);
  t.equal(await copy(2, 2 ** 40), 2 * MAX_COPY + 3);
  t.same(asked, [
    [100, MAX_COPY],
    [100 + MAX_COPY, MAX_COPY],
    [100 + 2 * MAX_COPY, 3],
  ]);
  t.equal(await copy(2 * MAX_COPY + 5, 10), 0);
  t.equal(await copy(3 * MAX_COPY, 10), 0);
  t.equal(asked.length, 3);
});

t.test('a copy that fails tells what was copied before, if anything was', async (t) => {
  const { home, asked, copy } = await copying(t, 4 * MAX_COPY + 5);
  const { change = () => [] } = home.answers;
  let failing = 3;
  home.answers.change = (params) => {
    if (--failing === 0) throw new Failure('EDQUOT');
    return change(params);
  };
  t.equal(await copy(0, 4 * MAX_COPY + 5), 2 * MAX_COPY);
  t.notOk(
    asked.some(([, length]) => length === 5),
    'what is smaller might have fitted',
  );
  failing = 1;
  t.equal(await failureOf(async () => copy(0, 10)), 'EDQUOT');
  home.answers.change = () => {
    throw new Failure('ENODATA');
  };
  t.equal(await failureOf(async () => copy(0, 10)), 'EOPNOTSUPP', 'the source is shorter: the kernel reads');
});

t.test('a copy tells what fitted, and asks again where that got lost', async (t) => {
  const { home, asked, copy } = await copying(t, 2 * MAX_COPY + 5);
  const { change = () => [] } = home.answers;
  let answered = 0;
  home.answers.change = (params) => {
    const [left, upTo] = change(params) as [typeof FILE, typeof FILE];
    // The first time it is as after a connection that was lost; then the second piece is short.
    if (++answered <= 2) return [left];
    return [left, answered === 4 ? { ...upTo, size: 100 + MAX_COPY + 7 } : upTo];
  };
  t.equal(await copy(0, 2 * MAX_COPY + 5), MAX_COPY + 7);
  t.same(
    asked.map(([offset]) => offset),
    [100, 100 + MAX_COPY, 100, 100 + MAX_COPY],
  );
});

t.test('what the server allocates in part is asked for up to its end', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: FILE });
  const asked: unknown[] = [];
  // Up to where, or that got lost.
  const stops = [2 ** 30, undefined, 2 ** 31, 2 ** 40];
  home.answers.change = ([, operation]) => {
    const [, , , , offset, length] = operation as number[];
    asked.push([offset, length]);
    const size = stops.shift();
    return size === undefined ? [FILE] : [FILE, { ...FILE, size }];
  };
  const { filesystem } = home;
  const node = await home.node('file');
  const { handle } = await filesystem.open(node, O_RDWR, CALLER);
  await filesystem.allocate(node, handle, 0, 5, 2 ** 40 - 5, CALLER);
  t.same(asked, [
    [5, 2 ** 40 - 5],
    [2 ** 30, 2 ** 40 - 2 ** 30],
    [2 ** 30, 2 ** 40 - 2 ** 30],
    [2 ** 31, 2 ** 40 - 2 ** 31],
  ]);
  for (const size of [5, 4, 11]) {
    stops.push(size);
    const failure = failureOf(async () => filesystem.allocate(node, handle, 0, 5, 5, CALLER));
    t.equal(await failure, 'EPROTO', 'a server that goes nowhere, or beyond');
  }
});

t.test('what is not asked for at all', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: FILE });
  const { filesystem } = home;
  const node = await home.node('file');
  const reading = await filesystem.open(node, O_RDONLY, CALLER);
  const writing = await filesystem.open(node, O_RDWR, CALLER);
  const kindOf = (handle: typeof reading.handle, mode: number): Promise<string> =>
    failureOf(async () => filesystem.allocate(node, handle, mode, 0, 1, CALLER));
  t.equal(await kindOf(reading.handle, 0), 'EBADF');
  for (const mode of [2, 8, 32]) t.equal(await kindOf(writing.handle, mode), 'EOPNOTSUPP');
});
