/* manager.log: one private line for each change, appended; and the trail as it is read, also of what was moved aside. */
import { readFileSync, renameSync, statSync } from 'node:fs';
import t from 'tap';
import { userName } from '../../protocol/ids.js';
import { personAtTerminal, recordAccountChanges } from '../../state/audit.js';
import { readAudit } from '../../state/audit-reading.js';
import { formerLog, statePaths } from '../../state/directory.js';
import { temporaryDirectory } from '../lib/directory.js';

const directory = temporaryDirectory(t);
const { managerLog } = statePaths(directory);
const umask = process.umask(0);
t.teardown(() => process.umask(umask));

t.test('one private line for each change', async (t) => {
  recordAccountChanges(statePaths(directory), personAtTerminal(), [
    { action: 'useradd', user: userName('alice'), details: { quotaBytes: 5 } },
    { action: 'passwd', user: userName('alice') },
  ]);

  const lines = readFileSync(managerLog, 'utf8').trimEnd().split('\n');
  t.match(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { msg: 'useradd', user: 'alice', quotaBytes: 5, by: /^uid \d+/, time: /^20\d\d-/ },
      { msg: 'passwd', user: 'alice' },
    ],
  );
  t.equal(statSync(managerLog).mode & 0o777, 0o600);
});

t.test('what was moved aside is read, too', async (t) => {
  renameSync(managerLog, formerLog(managerLog, 1));
  recordAccountChanges(statePaths(directory), 'carol', [{ action: 'userdel', user: userName('alice') }]);
  const trail = await readAudit(statePaths(directory), { user: 'alice', text: '', limit: 10 });
  t.strictSame(trail.map(({ what }) => what).toSorted(), ['passwd', 'useradd', 'userdel']);
});
