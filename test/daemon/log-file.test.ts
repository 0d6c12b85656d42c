/* Logs on a disk that has no room: whoever logs goes on. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openLog } from '../../daemon/log-file.js';
import { temporaryDirectory } from '../lib/directory.js';

t.test('one JSON object a line, from the level on', async (t) => {
  const file = join(temporaryDirectory(t), 'log');
  const log = openLog(file, 'warn');
  log.info({}, 'not worth a line');
  log.warn({ user: 'alice' }, 'one');
  log.setLevel('info');
  log.info({ error: new Error('reason') }, 'two');
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  t.match(lines, [
    { level: 'warn', user: 'alice', msg: 'one' },
    { level: 'info', error: 'reason', msg: 'two' },
  ]);
});

t.test('a line that cannot be written is no failure of what is logged', async (t) => {
  const log = openLog('/dev/full', 'info');
  const line = 'x'.repeat(100_000);
  for (let n = 0; n < 100; n++) t.doesNotThrow(() => log.info({ n }, line));
});

t.test('a file that cannot be opened is named', async (t) => {
  const file = join(temporaryDirectory(t), 'missing', 'log');
  t.throws(() => openLog(file, 'info'), { name: 'Failure', kind: 'EACCES', message: file });
});
