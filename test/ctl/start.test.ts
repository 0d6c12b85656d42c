/* What a command loads: its start is most of what a short one takes. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs, runProgram } from '../lib/programs.js';
import { run } from '../lib/run.js';
import { until } from '../mount/remote/processes.js';

/** Notes what of libraries and of node itself was loaded. */
const NOTING = `process.on('exit', () => {
  const own = process.moduleLoadList.map((name) => name.replace(/^NativeModule /, 'node:'));
  require('node:fs').writeFileSync(process.env.LOADED, [...Object.keys(require.cache), ...own].join('\\n'));
});`;

const directory = temporaryDirectory(t);
const loaded = join(directory, 'loaded');
const noting = join(directory, 'noting.cjs');
fs.writeFileSync(noting, NOTING);

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
const runtime = temporaryDirectory(t);
fs.chmodSync(runtime, 0o700);
const env = { ...daemon.env, XDG_RUNTIME_DIR: runtime };
t.teardown(() => runProgram('ftpctl', ['master', 'exit'], { env }));

t.test('ls over a session that is kept loads nothing of a login and of an administration', async (t) => {
  const args = ['ls', ...daemon.login('alice'), daemon.at('alice')];
  t.match(await runProgram('ftpctl', args, { env }), { code: 0 });
  await until(() => fs.readdirSync(join(runtime, 'ftpmount/masters')).some((name) => !name.includes('.')));
  const watched = ['--require', noting, programs.ftpctl, ...args];
  t.match(await run(process.execPath, watched, { env: { ...env, LOADED: loaded } }), { code: 0 });
  const names = fs.readFileSync(loaded, 'utf8').split('\n');
  for (const seen of [programs.ftpctl, 'node:net'])
    t.ok(names.includes(seen), `it is seen that it loads ${seen}`);
  t.strictSame(
    names.filter((name) => /node_modules|^node:(?:readline|worker_threads|http)$/.test(name)),
    [],
  );
});
