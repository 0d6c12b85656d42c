/* What `ftpctl` sets as the bandwidth of a user holds for what the user moves, in the own home and in a share, by the real programs. */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';

t.setTimeout(120_000);

const MIB = 1024 * 1024;
const SIZE = 4 * MIB;
/** After a silence, what half a second allows is moved at once; a part of a second is the clocks' own. */
const LEAST_MS = 3000;

const daemon = await startDaemon(t, {
  args: ['--bandwidth', '100M'],
  users: { alice: { quota: '1G' } },
});

async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.ftpctl(args);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** How long it took (milliseconds). */
async function move(...args: string[]): Promise<number> {
  const began = performance.now();
  const [command = '', ...others] = args;
  const { code, stderr } = await daemon.ftpctl([command, '-q', ...daemon.login('alice'), ...others], {
    input: Buffer.alloc(SIZE, 'x'),
  });
  if (code !== 0) throw new Error(stderr);
  return performance.now() - began;
}

t.test('the limit is shown', async (t) => {
  t.match(await said('usermod', 'alice', '--bandwidth', '1M'), /bandwidth 1\.0M\/s/);
  t.match(await said('users'), /^User .* Bandwidth .*\nalice .* 1\.0M\/s /);
  t.match(await said('status'), /workers, bandwidth 100M\/s\n/);
});

t.test('a put and a get take as long as it says, in a share too', async (t) => {
  await said('groupadd', 'staff', 'alice');
  await said('shareadd', 'team', '--group', 'staff', '--rw', '--quota', '1G');
  for (const path of ['f', 'Shared/team/f']) {
    const put = await move('put', '-', daemon.at('alice', path));
    t.ok(put >= LEAST_MS, `put ${path}: ${Math.round(put)} ms`);
    const got = await move('get', daemon.at('alice', path), '-');
    t.ok(got >= LEAST_MS, `get ${path}: ${Math.round(got)} ms`);
  }
});

t.test('it is none any more when it is 0', async (t) => {
  t.notMatch(await said('usermod', 'alice', '--bandwidth', '0'), /bandwidth/);
  t.notMatch(await said('users'), /Bandwidth/);
});
