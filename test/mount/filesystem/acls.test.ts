/* What an ACL says of the mode of a file, beside what programs do with that meanwhile. */
import t from 'tap';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { DEFAULT_ACL } from '../../../protocol/xattrs.js';
import { until } from '../remote/processes.js';
import { attributesOf, NOW } from '../tree/planted.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const NOBODY = 0xffff_ffff;

/** u::rw-,u:1000:rw-,g::r--,m::rw-,o::r-- */
const WRITTEN_BY_ANOTHER = Buffer.concat([
  Buffer.from([2, 0, 0, 0]),
  ...(
    [
      [1, 6, NOBODY],
      [2, 6, 1000],
      [4, 4, NOBODY],
      [0x10, 6, NOBODY],
      [0x20, 4, NOBODY],
    ] as const
  ).map(([tag, permissions, id]) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(tag, 0);
    bytes.writeUInt16LE(permissions, 2);
    bytes.writeUInt32LE(id, 4);
    return bytes;
  }),
]);

for (const chmods of [false, true]) {
  const then = chmods ? 'keeps the mode that it was given meanwhile' : 'has the mode of its ACL';
  t.test(`what inherits an ACL ${then}`, async (t) => {
    const home = await ScriptedHome.open(
      t,
      {
        xattrs: ([files]) => (files as unknown[]).map(() => [[DEFAULT_ACL, WRITTEN_BY_ANOTHER]]),
        change: ([, operation]) => {
          const [, [ino, birth]] = operation as [number, [number, number]];
          return [attributesOf(ino, 0o100644, { birth: BigInt(birth), ctime: NOW })];
        },
      },
      {},
      { acls: true },
    );
    await home.own();
    await home.filesystem.listxattr(ROOT_NODE, CALLER);
    const { connection } = home.server;
    const { apply } = home.answers;
    home.answers.apply = (params) => {
      // What comes then, the attribute, is not answered before the mode was changed.
      connection.held = true;
      return apply?.(params);
    };
    const making = home.filesystem.create(ROOT_NODE, Buffer.from('g'), 0o102, 0o666, CALLER);
    await until(() => connection.requests.some((each) => each.startsWith('change')));
    const node = await home.node('g');
    if (chmods) await home.filesystem.setattr(node, undefined, { mode: 0o600 }, CALLER);
    connection.answer();
    await making;
    const { attributes } = await home.filesystem.getattr(node, undefined, CALLER);
    t.equal((attributes.mode & 0o7777).toString(8), chmods ? '600' : '664');
  });
}
