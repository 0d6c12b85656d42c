/*
 * One phase of a flood in a process of its own, as it must not slow down who measures: `flood-process.js NAME prepare|work SHARE
 * PORT`. It says `begins` when it is logged in, and ends when it is done.
 */
import { logIn } from '../test/lib/accounts.js';
import { passwordOf } from '../test/lib/daemon.js';
import { PathClient } from '../test/lib/path-client.js';
import { OwnScope } from '../test/lib/scope.js';
import { floods } from './floods.js';

const [name, phase, share, port] = process.argv.slice(2);
const flood = floods.find((one) => one.name === name);
if (flood === undefined) throw new Error(`no flood '${name}'`);
const scope = new OwnScope();
const user = 'alice';
const client = await logIn(scope, { port: Number(port), user, password: passwordOf(user) });
const paths = new PathClient(client);
process.stdout.write('begins\n');
await (phase === 'work' ? flood.work : flood.prepare)(paths, Number(share));
await scope.end();
