import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { modeText, exactText, minuteText } from '../../../ctl/output/attributes.js';
import { md5Line } from '../../../ctl/output/progress.js';
import { Rate } from '../../../ctl/output/rate.js';
import { formatTable } from '../../../ctl/output/table.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { run } from '../../lib/run.js';

t.test('md5sum checks what is printed, whatever the names are', async (t) => {
  const directory = temporaryDirectory(t);
  const names = ['plain', 'with space', 'a) = b', 'new\nline', 'back\\slash', 'grün'].map((name) =>
    Buffer.from(name),
  );
  names.push(Buffer.from([0x66, 0xfc, 0xff]));
  const lines = names.map((name) => {
    const content = Buffer.concat([Buffer.from('content of '), name]);
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), name]), content);
    return md5Line(name, createHash('md5').update(content).digest());
  });
  mkdirSync(join(directory, 'sums'));
  writeFileSync(join(directory, 'sums/all'), Buffer.concat(lines));
  const check = await run('md5sum', ['--strict', '-c', 'sums/all'], { cwd: directory });
  t.equal(check.code, 0, check.stderr);
  t.equal(check.stdout.match(/: OK$/gm)?.length, names.length);
});

t.test('a rate follows what happens', async (t) => {
  const rate = new Rate(0);
  t.equal(rate.secondsFor(100), undefined, 'nothing is known yet');
  for (let now = 1; now <= 20; now++) rate.add(100, now);
  t.equal(Math.round(rate.perSecond), 100);
  t.equal(Math.round(rate.secondsFor(1000) ?? 0), 10);
  for (let now = 21; now <= 40; now++) rate.add(10, now);
  t.ok(rate.perSecond > 9.9 && rate.perSecond < 11, 'the past is forgotten');
  const bursts = new Rate(0);
  for (let n = 0; n < 1000; n++) bursts.add(1, 0.001 * n);
  t.ok(Math.abs(bursts.perSecond - 1000) < 50, 'many small steps are one sample');
});

t.test('tables', async (t) => {
  t.strictSame(
    formatTable(
      [
        ['name', 'size'],
        ['a', '10'],
        ['longer', '7'],
      ],
      ['left', 'right'],
    ),
    ['name    size', 'a         10', 'longer     7'],
  );
});

t.test('modes and times', async (t) => {
  t.equal(modeText(0o100644), '-rw-r--r--');
  t.equal(modeText(0o040755), 'drwxr-xr-x');
  t.equal(modeText(0o120777), 'lrwxrwxrwx');
  t.equal(modeText(0o010600), 'prw-------');
  t.equal(modeText(0o104755), '-rwsr-xr-x');
  t.equal(modeText(0o106644), '-rwSr-Sr--');
  t.equal(modeText(0o041777), 'drwxrwxrwt');
  t.equal(modeText(0o041770), 'drwxrwx--T');
  t.match(exactText({ sec: 0, nsec: 5 }), /^19(69|70)-\d\d-\d\d \d\d:\d\d:00\.000000005 [+-]\d{4}$/);
  t.match(minuteText({ sec: 1_700_000_000, nsec: 0 }), /^2023-11-1[45] \d\d:\d\d$/);
  t.equal(minuteText({ sec: 2 ** 52, nsec: 0 }), '@4503599627370496', 'a time that no calendar has');
});
