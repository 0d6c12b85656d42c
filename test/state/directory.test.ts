/* Where the state and the homes are when nobody says. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { defaultHomes, defaultStateDirectory, statePaths } from '../../state/directory.js';

const asRoot = process.geteuid?.() === 0;

t.equal(defaultStateDirectory({ FTPMOUNT_STATE: '/srv/state', XDG_STATE_HOME: '/x' }), '/srv/state');
t.equal(
  defaultStateDirectory({ FTPMOUNT_STATE: '', XDG_STATE_HOME: '/x' }),
  asRoot ? '/var/lib/ftpmount' : '/x/ftpmount',
);
t.equal(
  defaultStateDirectory({ XDG_STATE_HOME: 'relative' }),
  asRoot ? '/var/lib/ftpmount' : join(homedir(), '.local/state/ftpmount'),
);
t.equal(statePaths('/s').control, '/s/control.sock');

t.equal(defaultHomes('/var/lib/ftpmount', {}), '/var/lib/ftpmount/homes');
t.equal(defaultHomes('/srv/state', { XDG_DATA_HOME: '/data' }), '/srv/state/homes');
const xdg = { XDG_STATE_HOME: '/x', XDG_DATA_HOME: '/data' };
t.equal(defaultHomes('/x/ftpmount', xdg), '/data/ftpmount/homes');
t.equal(
  defaultHomes(join(homedir(), '.local/state/ftpmount'), {}),
  join(homedir(), '.local/share/ftpmount/homes'),
);
