/* The suite on a plain directory: what it demands is what this kernel does. */
import t from 'tap';
import { temporaryDirectory } from '../lib/directory.js';
import { runSuite } from './run-suite.js';
import { owners } from './suite/owners.js';

// Only root gives files to others.
const more = process.geteuid?.() === 0 ? { owners } : {};
runSuite(t, temporaryDirectory(t), undefined, more);
