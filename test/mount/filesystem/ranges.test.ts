import t from 'tap';
import { LEASE_READ, WHOLE_HOME } from '../../../protocol/methods.js';
import { ALLOCATE, WRITE } from '../../../protocol/operations.js';
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
      return [{ ...FILE, size: 12 }];
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
