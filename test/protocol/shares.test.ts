import t from 'tap';
import { packShare, share } from '../../protocol/shares.js';
import { failing } from '../lib/failing.js';

t.test('a share travels as its name and whether it may be written to', async (t) => {
  const team = share(['team', false]);
  t.same(team, { name: 'team', isWritable: false });
  t.same(packShare(team), ['team', false]);
});

t.test('a server cannot name one that leads elsewhere', async (t) => {
  for (const name of [
    '',
    '.',
    '..',
    '../x',
    'a/b',
    'a\0',
    'x'.repeat(33),
    'Team',
    '+team',
    Buffer.from('team'),
  ])
    t.throws(() => share([name, true]), failing('EINVAL'), String(name));
});
