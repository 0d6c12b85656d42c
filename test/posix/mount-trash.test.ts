/* The suite on a home with a trash: nothing is different but what is kept. */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { runSuite } from './run-suite.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '1G', trash: '30d' } } });
const mounted = await mountHome(t, daemon, 'alice');
runSuite(t, mounted.mountpoint);
