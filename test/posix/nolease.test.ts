/* The suite on a mounted home without leases: each change is one that is awaited. */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { runSuite } from './run-suite.js';

/** Set-id bits are not kept by the server: they are seen as long as the mount may answer by itself. */
const CANNOT = new Set(['attributes: chmod is seen']);

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
const mounted = await mountHome(t, daemon, 'alice', { args: ['-o', 'nolease'] });
runSuite(t, mounted.mountpoint, CANNOT);
