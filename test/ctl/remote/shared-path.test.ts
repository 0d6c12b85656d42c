/* Which home a path leads into, and where it is there. */
import t from 'tap';
import { onlyShare, pathFrom, pathWithin, shareIn } from '../../../ctl/remote/shared-path.js';
import { remotePath, shareName, type RemotePath } from '../../../protocol/ids.js';
import { failing } from '../../lib/failing.js';

const TEAM = shareName('team');

function pathOf(text: string): RemotePath {
  return remotePath(Buffer.from(text));
}

t.test('Shared/NAME and all below it is in the share', async (t) => {
  for (const text of ['Shared/team', 'Shared/team/a', 'Shared/team/a/Shared/b']) {
    t.equal(shareIn(pathOf(text)), 'team', text);
    t.equal(pathFrom(TEAM, pathWithin(TEAM, pathOf(text))).toString(), text, 'there and back');
  }
  t.equal(pathWithin(TEAM, pathOf('Shared/team')).toString(), '');
  t.equal(pathWithin(TEAM, pathOf('Shared/team/a/b')).toString(), 'a/b');
});

t.test('the rest is in the own home', async (t) => {
  for (const text of [
    '',
    'Shared',
    'shared/team',
    'a/Shared/team',
    'Sharedteam',
    'Shared/Team',
    'Shared/te*m',
  ]) {
    t.equal(shareIn(pathOf(text)), undefined, text);
    t.equal(pathWithin(undefined, pathOf(text)).toString(), text);
    t.throws(() => pathWithin(TEAM, pathOf(text)), failing('EXDEV'), 'and never in a share');
  }
  t.throws(() => pathWithin(TEAM, pathOf('Shared/teams')), failing('EXDEV'));
});

t.test('bytes that are no text stay', async (t) => {
  const path = remotePath(Buffer.from([...Buffer.from('Shared/team/'), 0xff, 0xfe]));
  t.same(Buffer.from(pathWithin(TEAM, path)), Buffer.from([0xff, 0xfe]));
  t.same(Buffer.from(pathFrom(TEAM, pathWithin(TEAM, path))), Buffer.from(path));
});

t.test('paths of one command are in one home', async (t) => {
  t.equal(onlyShare([pathOf('Shared/team/a'), pathOf('Shared/team')]), 'team');
  t.equal(onlyShare([pathOf('a'), pathOf('Shared')]), undefined);
  for (const others of ['a', 'Shared/more/a', 'Shared']) {
    t.throws(() => onlyShare([pathOf('Shared/team/a'), pathOf(others)]), failing('EXDEV'), others);
    t.throws(() => onlyShare([pathOf(others), pathOf('Shared/team/a')]), failing('EXDEV'), others);
  }
});
