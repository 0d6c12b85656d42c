/* Administration beside a daemon that is stopped, or hangs: nobody waits for it for ever, and each learns what is done. */
import t from 'tap';
import { startDaemon } from '../../lib/daemon.js';

t.test('a stopped daemon is waited for for ten seconds', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' }, bob: { quota: '1G' } } });
  process.kill(daemon.service.pid, 'SIGSTOP');
  t.teardown(() => process.kill(daemon.service.pid, 'SIGCONT'));
  const silent = `the running daemon \\(process ${daemon.service.pid}\\) does not answer`;
  const input = 'name,quota\nlily,1G\n';
  const told = await Promise.all(
    ['users', 'shares', 'status', 'userdel bob', 'useradd --batch -', 'import ftpmount -'].map(
      async (words) => [words, await daemon.ftpctl(words.split(' '), { input })] as const,
    ),
  );
  for (const [words, result] of told) {
    const said = words.startsWith('userdel')
      ? `^ftpctl: the change is made, but the running daemon did not take it up \\(${silent}\\): restart it\n$`
      : words.endsWith('-')
        ? `^ftpctl: nothing is made: .*lily.*\\(${silent}\\): restart it\n$`
        : `^ftpctl: ${silent}: restart it, or let it go on where it was stopped\n$`;
    t.match(result, { code: 3, stdout: '', stderr: new RegExp(said) }, words);
  }
  process.kill(daemon.service.pid, 'SIGCONT');
  const { stdout } = await daemon.ftpctl(['users']);
  t.match(stdout, /^alice /m);
  t.notMatch(stdout, /^(bob|lily) /m);
});
