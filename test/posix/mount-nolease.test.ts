/* The suite on a mounted home that is leased nothing for writing: every change, and every lock, is asked of the server. */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { runSuite } from './run-suite.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
const mounted = await mountHome(t, daemon, 'alice', { args: ['-o', 'nolease'] });
runSuite(t, mounted.mountpoint);
