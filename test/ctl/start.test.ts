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

/** What is read of a report of NODE_V8_COVERAGE. */
interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { readonly count: number }[];
    }[];
  }[];
}

/**
 * The compiled modules in a program that were run. Each that is run when it is asked for is a function of its name; those that are
 * always run stand behind a comment with theirs.
 */
function modulesRun(program: string, coverage: string): string[] {
  const text = fs.readFileSync(program, 'utf8');
  const whenAsked = new Set([...text.matchAll(/__esm\(\{\s*"(dist\/[^"]+)"/g)].map(([, name = '']) => name));
  const all = [...text.matchAll(/^\/\/ (dist\/.*)$/gm)].map(([, name = '']) => name);
  const reports = fs.readdirSync(coverage).map((name) => fs.readFileSync(join(coverage, name), 'utf8'));
  const scripts = reports.flatMap((report) => (JSON.parse(report) as Coverage).result);
  const functions = scripts.filter(({ url }) => url.endsWith(program)).flatMap((script) => script.functions);
  const called = functions.filter(({ ranges: [whole] }) => whole !== undefined && whole.count > 0);
  const ran = new Set(called.map(({ functionName }) => functionName));
  return all.filter((name) => !whenAsked.has(name) || ran.has(name));
}

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
  const coverage = join(directory, 'coverage');
  const watchedEnv = { ...env, LOADED: loaded, NODE_V8_COVERAGE: coverage };
  t.match(await run(process.execPath, watched, { env: watchedEnv }), { code: 0 });
  const names = fs.readFileSync(loaded, 'utf8').split('\n');
  for (const seen of [programs.ftpctl, 'node:net'])
    t.ok(names.includes(seen), `it is seen that it loads ${seen}`);
  t.strictSame(
    names.filter((name) => /node_modules|^node:(?:readline|worker_threads|http)$/.test(name)),
    [],
  );
  const modules = modulesRun(programs.ftpctl.replace('.cjs', '-main.cjs'), coverage);
  for (const seen of ['dist/ctl/main.js', 'dist/ctl/ls.js', 'dist/ctl/remote/shared-session.js'])
    t.ok(modules.includes(seen), `it is seen that it runs ${seen}`);
  t.strictSame(
    modules.filter((name) => /connector|noise|open-session|\/ctl\/admin\/|\/posix\/lib/.test(name)),
    [],
  );
});
