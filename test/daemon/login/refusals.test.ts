/* Lines about those who were not let in: as many as a person reads, and then how many more there were. */
import t from 'tap';
import { Refusals } from '../../../daemon/login/refusals.js';
import { recordingLog } from '../../lib/logs.js';

t.test('a flood is a hundred lines and a count', async (t) => {
  const log = recordingLog();
  const refusals = new Refusals(log, 'logins refused');
  for (let i = 0; i < 1000; i++) refusals.write('warn', { peer: `peer ${i}` }, 'login refused');
  refusals.flush();
  t.equal(log.lines.length, 101);
  t.match(log.lines.at(-1), {
    message: 'logins refused',
    fields: { count: 900, last: 'peer 999: login refused' },
  });
  refusals.flush();
  refusals.write('warn', { peer: 'peer' }, 'login refused');
  t.equal(log.lines.length, 102, 'the next one has a line again');
  refusals.flush();
});
