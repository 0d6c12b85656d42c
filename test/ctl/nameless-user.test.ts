/* A user id that the system has no name for, as often in a container: what needs no name works, what does says so. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { statePaths } from '../../state/directory.js';
import { temporaryDirectory } from '../lib/directory.js';
import { runProgram } from '../lib/programs.js';
import type { RunResult } from '../lib/run.js';

const NAMELESS = { uid: 1_234_567, gid: 1_234_567 };

if (process.geteuid?.() !== 0) t.plan(0, 'only root can become another user');
else test();

function test(): void {
  const directory = temporaryDirectory(t, NAMELESS);
  const env = { ...process.env, HOME: directory, FTPMOUNT_STATE: join(directory, 'state') };
  const ftpctl = (args: readonly string[]): Promise<RunResult> =>
    runProgram('ftpctl', args, { ...NAMELESS, env, cwd: directory });

  t.test('administration', async (t) => {
    t.match(await ftpctl(['useradd', 'alice', '--quota', '1G', '--no-password']), { code: 0, stderr: '' });
    const { managerLog } = statePaths(env.FTPMOUNT_STATE);
    t.match(JSON.parse(readFileSync(managerLog, 'utf8')), { by: 'uid 1234567', msg: 'useradd' });
    rmSync(managerLog);
    mkdirSync(managerLog);
    const unrecorded = await ftpctl(['usermod', 'alice', '--quota', '2G']);
    t.match(unrecorded, { code: 1, stderr: /the change is made, but not in .*manager\.log \(illegal.*\)/ });
  });

  t.test('a key', async (t) => {
    t.match(await ftpctl(['keygen']), { code: 0, stdout: / uid 1234567@\S+\n$/ });
  });

  t.test('a login without a name', async (t) => {
    t.match(await ftpctl(['ls', '127.0.0.1:']), {
      code: 2,
      stderr: /^ftpctl: .*write USER@127\.0\.0\.1.*\n$/,
    });
  });
}
