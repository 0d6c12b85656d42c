/* Serves the control of a mount on the path that is given, as an ordinary user, until standard input ends. */
import { serveControl } from '../../mount/control.js';
import { dropPrivileges, NOBODY } from './fuse/drop-privileges.js';

dropPrivileges(NOBODY);
const [, , mountpoint = ''] = process.argv;
const stop = serveControl(mountpoint, () => {
  throw new Error('nobody asks here');
});
process.stdin.resume().on('end', stop);
