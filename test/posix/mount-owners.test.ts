/* The suite on a home with virtual owners, mounted by root for all, with ACLs. */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { runSuite } from './run-suite.js';
import { acls } from './suite/acls.js';
import { owners } from './suite/owners.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '1G', posixOwners: true } } });
const mounted = await mountHome(t, daemon, 'alice', { args: ['-o', 'allow_other,suid,dev,acl'] });
runSuite(t, mounted.mountpoint, undefined, { owners, acls });
