/* The suite on a plain directory: what it demands is what this kernel does. */
import t from 'tap';
import { temporaryDirectory } from '../lib/directory.js';
import { runSuite } from './run-suite.js';
import { acls } from './suite/acls.js';
import { owners } from './suite/owners.js';

// Only root gives files to others, and is others.
const more = process.geteuid?.() === 0 ? { owners, acls } : {};
runSuite(t, temporaryDirectory(t), undefined, more);
