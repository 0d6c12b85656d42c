/* The suite on a plain directory: what it demands is what this kernel does. */
import t from 'tap';
import { temporaryDirectory } from '../lib/directory.js';
import { runSuite } from './run-suite.js';

runSuite(t, temporaryDirectory(t));
