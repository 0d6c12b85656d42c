/* Records of owners: what the disk gets, what is told, and what is written. */
import t from 'tap';
import {
  diskMode,
  diskType,
  formatRecord,
  isPlain,
  parseRecord,
  toldBy,
  withoutSetId,
} from '../../../../daemon/home/files/owner-record.js';
import type { Status } from '../../../../posix/status.js';

const TIME = { sec: 1, nsec: 0 };

function status(mode: number, rdev = 0): Status {
  return {
    ...{ mode, nlink: 1, uid: 990, gid: 991, size: 5, blocks: 8, ino: 7n, rdev, dev: 1n },
    ...{ atime: TIME, mtime: TIME, ctime: TIME, btime: TIME },
  };
}

function told(record: string | undefined, on: Status, isHome = false): string {
  const { mode, uid, gid, rdev } = toldBy(record === undefined ? undefined : parse(record), on, isHome);
  return `${mode.toString(8)}:${uid}:${gid}:${rdev}`;
}

function parse(text: string): NonNullable<ReturnType<typeof parseRecord>> {
  const record = parseRecord(Buffer.from(text));
  if (record === undefined) throw new Error(`${text} is none`);
  return record;
}

t.test('the disk gets no set-id bit, no device, and a mode that lets the daemon work', async (t) => {
  for (let mode = 0; mode <= 0o7777; mode++) {
    t.equal(diskMode(0o100000 | mode), (mode & 0o1777) | 0o600);
    t.equal(diskMode(0o040000 | mode), (mode & 0o1777) | 0o700);
  }
  t.equal(diskMode(0o120777), 0o777);
  t.equal(diskType(0o020666), 0o100000);
  t.equal(diskType(0o060666), 0o100000);
  t.equal(diskType(0o010644), 0o010000);
});

t.test('what is told of a file', async (t) => {
  t.equal(
    told(undefined, status(0o100640)),
    '100640:0:0:0',
    "without a record it is root's, as it is on the disk",
  );
  t.equal(told('104750:5:6', status(0o100750)), '104750:5:6:0');
  t.equal(told('100000:5:6', status(0o100600)), '100000:5:6:0', 'the daemon may, the user may not');
  t.equal(told('20620:5:6:259', status(0o100620)), '20620:5:6:259', 'a device');
  t.equal(told('120777:5:6', status(0o120777)), '120777:5:6:0');
  t.equal(told(undefined, status(0o020600, 0)), '20600:0:0:0', 'a whiteout on the disk is what it is');
});

t.test('a mode that was changed on the disk is heard, and no set-id bit comes back by it', async (t) => {
  t.equal(told('104750:5:6', status(0o100755)), '100755:5:6:0');
  t.equal(told('104755:5:6', status(0o100700)), '100700:5:6:0');
  t.equal(
    told('41777:5:6', status(0o040700), true),
    '41777:5:6:0',
    'but of the home itself, whose mode stays',
  );
});

t.test('set-id bits that somebody has put on the disk are told of no file', async (t) => {
  t.equal(told(undefined, status(0o106755)), '100755:0:0:0', 'it would run as root');
  t.equal(told('104755:5:6', status(0o106700)), '100700:5:6:0');
  t.equal(told(undefined, status(0o043775)), '43775:0:0:0', 'a directory hands its group on');
});

t.test('a record of another type is of another file: its owner counts, its type does not', async (t) => {
  t.equal(told('104755:5:6', status(0o040755)), '40755:5:6:0');
  t.equal(told('40755:5:6', status(0o100755)), '100755:5:6:0');
  t.equal(told('120777:5:6', status(0o100644)), '100644:5:6:0');
  t.equal(told('20600:5:6:259', status(0o010600)), '10600:5:6:0', 'nothing but a file is a device');
});

t.test('what needs no record', async (t) => {
  t.ok(isPlain(parse('100644:0:0'), 0o100644));
  t.notOk(isPlain(parse('100644:0:1'), 0o100644));
  t.notOk(isPlain(parse('104644:0:0'), 0o100644));
  t.notOk(isPlain(parse('20644:0:0:259'), 0o100644));
});

t.test('chown takes the set-id bits of a file', async (t) => {
  t.equal(withoutSetId(0o106755), 0o100755);
  t.equal(withoutSetId(0o106745), 0o102745, 'without execution by the group it is another bit');
  t.equal(withoutSetId(0o046755), 0o046755, 'and not of a directory');
});

t.test('records are text, and back', async (t) => {
  for (const text of [
    '100644:0:0',
    '104755:1000:100',
    '20666:0:0:259',
    '60660:0:6:4294967295',
    '107777:4294967294:1',
  ])
    t.equal(formatRecord(parse(text)).toString(), text);
});

t.test('what is no record is none', async (t) => {
  for (const text of [
    ...[
      '',
      ':',
      '100644',
      '100644:0',
      '100644:0:',
      '100648:0:0',
      '100644:-1:0',
      '100644:0:0:',
      '100644:0:0:0:0',
    ],
    ...['100644:4294967295:0', '100644:0:4294967296', '100644:0:0:4294967296', '1006440:0:0', '777777:0:0'],
    ...['100644:0:0\n', ' 100644:0:0', '100644:0x1:0', '100644:99999999999:0'],
  ])
    t.equal(parseRecord(Buffer.from(text)), undefined, JSON.stringify(text));
});
