/* What a command loads: its start is most of what a short one takes. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs, runProgram } from '../lib/programs.js';
import { run } from '../lib/run.js';
import { until } from '../mount/remote/processes.js';

/** Hooks of the loader that note what is loaded. */
const HOOKS = `import { appendFileSync } from 'node:fs';
export async function load(url, context, next) {
  appendFileSync(process.env.LOADED, url + '\\n');
  return next(url, context);
}`;

/** The modules that the build has put into a file; one that it did not make is a module itself. */
function modulesIn(url: string): string[] {
  if (!url.startsWith('file:') || url.includes('/node_modules/')) return [url];
  const parts = fs.readFileSync(new URL(url), 'utf8').match(/^\/\/ (?:dist|node_modules)\/.*\.js$/gm) ?? [];
  return parts.map((line) => line.slice('// '.length));
}

const directory = temporaryDirectory(t);
const loaded = join(directory, 'loaded');
const register = join(directory, 'register.mjs');
fs.writeFileSync(join(directory, 'hooks.mjs'), HOOKS);
fs.writeFileSync(
  register,
  `import { register } from 'node:module';\nregister('./hooks.mjs', import.meta.url);`,
);

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
const runtime = temporaryDirectory(t);
fs.chmodSync(runtime, 0o700);
const env = { ...daemon.env, XDG_RUNTIME_DIR: runtime };
t.teardown(() => runProgram('ftpctl', ['master', 'exit'], { env }));

t.test(
  'ls over a session that is kept loads no login, no administration and no library of a config',
  async (t) => {
    const args = ['ls', ...daemon.login('alice'), daemon.at('alice')];
    t.match(await runProgram('ftpctl', args, { env }), { code: 0 });
    await until(() => fs.readdirSync(join(runtime, 'ftpmount/masters')).some((name) => !name.includes('.')));
    const watched = ['--import', register, programs.ftpctl, ...args];
    t.match(await run(process.execPath, watched, { env: { ...env, LOADED: loaded } }), { code: 0 });
    const modules = fs.readFileSync(loaded, 'utf8').trim().split('\n').flatMap(modulesIn);
    t.ok(modules.includes('dist/ctl/ls.js'), 'it is seen what is loaded');
    const needless =
      /\/(?:connector|noise|open-session)\.js$|\/ctl\/admin\/|\/posix\/lib|smol-toml|koffi|cli-progress/;
    t.strictSame(
      modules.filter((url) => needless.test(url)),
      [],
    );
  },
);
