/* Users in a file: CSV, JSON lines and a JSON array say the same; every mistake is told of its line. */
import t from 'tap';
import { FORMATS, type ForeignFormat } from '../../ctl/admin/foreign-users.js';
import { readRecords, recordsOf } from '../../ctl/admin/user-records.js';

const HASH = `$argon2id$v=19$m=65536,t=2,p=1$${'c2FsdHNhbHRzYWx0c2FsdA'}$${'A'.repeat(43)}`;

t.test('CSV, JSON lines and an array', async (t) => {
  const csv = 'name,quota,password,disabled\r\nalice,5G,"a, ""b""",\r\n\r\nbob,,,true\r\n';
  const objects = [
    { name: 'alice', quota: '5G', password: 'a, "b"' },
    { name: 'bob', disabled: true },
  ];
  const lines = objects.map((object) => JSON.stringify(object)).join('\n');
  const expected = [{ name: 'alice', quota: 5 * 1024 ** 3, password: 'a, "b"' }, objects[1]];
  for (const text of [
    csv,
    lines,
    JSON.stringify(objects),
    `\ufeff${csv}`,
    `\ufeff${JSON.stringify(objects)}`,
  ]) {
    const { records, mistakes } = readRecords(text);
    t.strictSame(
      records.map(({ record }) => record),
      expected,
    );
    t.strictSame(mistakes, []);
  }
  t.strictSame(
    readRecords(csv).records.map(({ line }) => line),
    [2, 4],
  );
  t.strictSame(readRecords('').records, []);
  const [spaced] = readRecords('name, quota,password\nalice, 1K, with spaces ').records;
  t.strictSame(spaced?.record, { name: 'alice', quota: 1024, password: ' with spaces ' });
});

t.test('mistakes', async (t) => {
  for (const [line, message] of [
    ['{"quota":1}', 'the name is missing'],
    ['{"name":"Bad/Name"}', /is not valid/],
    ['{"name":"a","quota":"5X"}', /is not a size/],
    ['{"name":"a","shell":"sh"}', /^there is no field 'shell': allowed are name, quota, /],
    ['{"name":"a","expires":5}', '5 is no text'],
    ['{"name":"a","disabled":"yes"}', /neither true nor false/],
    ['{"name":"a","keys":["ssh-ed25519 AAAA"]}', /./],
    ['{"name":"a","passwordHash":"$2a$10$x"}', /is not Argon2id/],
    [`{"name":"a","passwordHash":"${HASH.replace('m=65536', 'm=9999999')}"}`, /costs too much/],
    [`{"name":"a","password":"x","passwordHash":"${HASH}"}`, /and the hash of one/],
    ['{"name":', /^it is not JSON/],
  ] as const) {
    const { records, mistakes } = readRecords(
      `{"name":"first"}\n${line}\n{"name":"last","passwordHash":"${HASH}"}`,
    );
    t.match(mistakes, [{ line: 2, message }], line);
    t.equal(records.length, 2, 'the others are read');
  }
  t.match(readRecords('name,quota\na\nb,"1G').mistakes, [
    { line: 2, message: 'there are 1 cells, and 2 in the head' },
    { line: 3, message: 'its cell 2 is not CSV' },
  ]);
  t.strictSame(readRecords('name,quota,name\na,1G,b\n'), {
    records: [],
    mistakes: [{ line: 1, message: "there are two columns 'name'" }],
  });
  t.equal(readRecords('{"name":"a"}\n'.repeat(10_001)).records.length, 10_001, 'as many as an export has');
});

t.test('users of other programs', async (t) => {
  const of = (format: ForeignFormat, text: string) => recordsOf(FORMATS[format](text));
  const passwd =
    'root:x:0:0::/root:/bin/sh\nalice:x:1000:1000:Alice:/home/alice:/bin/bash\nnobody:x:65534::::\nBob:x:1001::::\n';
  t.match(of('passwd', passwd), {
    records: [{ line: 2, record: { name: 'alice' } }],
    mistakes: [{ line: 4 }],
  });
  t.match(of('passwd', '{"name":"alice"}\n'), {
    records: [],
    mistakes: [{ line: 1, message: 'it is no line of passwd(5), which has 7 fields' }],
  });
  t.strictSame(of('passwd', '\n+::::::\n'), { records: [], mistakes: [] });
  const users = [
    { username: 'carol', password: HASH, quota_size: 1024, quota_files: 7, status: 1, expiration_date: 0 },
    { username: 'dora', password: '$2a$10$x', quota_size: 0, status: 0, public_keys: ['ssh-ed25519 AAAA'] },
  ];
  t.strictSame(
    of('sftpgo', JSON.stringify({ users })).records.map(({ record }) => record),
    [
      { name: 'carol', quota: 1024, maxFiles: 7, disabled: false, passwordHash: HASH },
      { name: 'dora', quota: 0, disabled: true },
    ],
  );
  t.throws(() => of('sftpgo', '{}'), { name: 'Failure', kind: 'EINVAL' });
});
