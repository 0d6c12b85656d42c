/* manager.log: one private line for each change, appended. */
import { readFileSync, statSync } from 'node:fs';
import t from 'tap';
import { userName } from '../../protocol/ids.js';
import { personAtTerminal, recordAccountChange } from '../../state/audit.js';
import { statePaths } from '../../state/directory.js';
import { temporaryDirectory } from '../lib/directory.js';

const directory = temporaryDirectory(t);
const umask = process.umask(0);
t.teardown(() => process.umask(umask));
recordAccountChange(statePaths(directory), personAtTerminal(), {
  action: 'useradd',
  user: userName('alice'),
  details: { quotaBytes: 5 },
});
recordAccountChange(statePaths(directory), personAtTerminal(), { action: 'passwd', user: userName('alice') });
const { managerLog } = statePaths(directory);
const lines = readFileSync(managerLog, 'utf8').trimEnd().split('\n');
t.match(
  lines.map((line) => JSON.parse(line) as unknown),
  [
    { msg: 'useradd', user: 'alice', quotaBytes: 5, by: /^uid \d+/, time: /^20\d\d-/ },
    { msg: 'passwd', user: 'alice' },
  ],
);
t.equal(statSync(managerLog).mode & 0o777, 0o600);
