/* The suite on a mounted home. */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { runSuite } from './run-suite.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
const mounted = await mountHome(t, daemon, 'alice');
runSuite(t, mounted.mountpoint);
