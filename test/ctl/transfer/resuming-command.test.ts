import { execFileSync } from 'node:child_process';
import t from 'tap';
import { resumingCommand } from '../../../ctl/transfer/resuming-command.js';

t.test('a shell reads it as what was given', async (t) => {
  const args = ['put', '-r', 'two words', "it's", '$HOME *', '', '~/x', 'grün', 'alice@[::1]:a/b'];
  const command = resumingCommand(args);
  const read = execFileSync('sh', ['-c', `ftpctl() { printf '%s\\n' "$@"; }; ${command}`], {
    encoding: 'utf8',
  });
  t.strictSame(read.split('\n').slice(0, -1), args);
  t.equal(
    resumingCommand(['put', 'x', 'alice@h:']),
    'ftpctl put x alice@h:',
    'quoted only where it has to be',
  );
});

t.test('it does not begin anew', async (t) => {
  t.equal(resumingCommand(['put', '--no-resume', 'x', 'h:']), 'ftpctl put x h:');
  t.equal(resumingCommand(['put', '--', '--no-resume', 'h:']), 'ftpctl put -- --no-resume h:');
});

t.test('what a terminal does not show as it is', async (t) => {
  for (const name of ['\u001b[2J', 'a\nb', '\ufffd'])
    t.equal(resumingCommand(['put', name, 'h:']), undefined);
});
