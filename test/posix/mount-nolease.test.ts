/* The suite on a mounted home that is leased nothing for writing: every change, and every lock, is asked of the server. */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { runSuite } from './run-suite.js';

/** The server keeps no set-user-ID bits, and only a lease has somebody else remember them. */
const CANNOT = new Set(['attributes: chmod is seen']);

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
const mounted = await mountHome(t, daemon, 'alice', { args: ['-o', 'nolease'] });
runSuite(t, mounted.mountpoint, CANNOT);
