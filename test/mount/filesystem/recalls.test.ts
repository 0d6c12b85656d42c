import t from 'tap';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { LEASE_NONE } from '../../../protocol/methods.js';
import { attributesOf, ROOT_INO } from '../tree/planted.js';
import { failureOf } from '../remote/failure-of.js';
import { until } from '../remote/processes.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const O_RDWR = 2;
const MiB = 1024 * 1024;

t.test('a recall that waits for the log ends with the session', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: attributesOf(10) });
  const node = await home.node('file');
  const { handle } = await home.filesystem.open(node, O_RDWR, CALLER);
  const { connection } = home.server;
  connection.held = true;
  // More than may be under way: the rest waits for answers.
  for (let at = 0; at < 16; at++) {
    await home.filesystem.write(node, handle, at * MiB, Buffer.alloc(MiB, at), false, CALLER);
  }
  t.ok(home.state.log.unsent.operations > 0);
  connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
  connection.notifications.shutdown?.('the account was removed', false);
  t.equal(await failureOf(Promise.resolve(home.filesystem.fsync(node, handle, false, CALLER))), 'EACCES');
});

t.test('a recall is answered behind the log, by one who believes nothing any more', async (t) => {
  const home = await ScriptedHome.open(t);
  await home.own({ file: attributesOf(10) });
  const { connection } = home.server;
  home.answers.returned = () => null;
  await home.node('file');
  await home.filesystem.mkdir(ROOT_NODE, Buffer.from('new'), 0o700, CALLER);
  connection.notifications.recall?.([[ROOT_INO, LEASE_NONE]]);
  await until(() => connection.requests.some((each) => each.startsWith('returned')));
  const sent = connection.requests.map((each) => each.split(' ')[0]);
  t.ok(sent.indexOf('apply') !== -1 && sent.indexOf('apply') < sent.indexOf('returned'));
  t.same(home.dropped.toSorted(), ['1 0', '1/file', '1/new', '2 -1']);
  t.equal(home.state.leases.mode(ROOT_INO), LEASE_NONE);
});
