import t from 'tap';
import { until } from '../remote/processes.js';
import { ScriptedHome } from './scripted-home.js';

t.test('a mount that has nothing to send says so to a server that was restarted', async (t) => {
  const home = await ScriptedHome.open(t);
  home.server.restart();
  await until(() => home.server.connections.length === 2);
  // Else others wait for it until its term is over.
  await until(() => home.server.connection.requests.some((request) => request.startsWith('returned')));
  t.same(home.server.connection.requests, ['returned ']);
});
