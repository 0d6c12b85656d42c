/*
 * What two mounts of one home see through descriptors that stay open, and through mappings: what the other's call changed
 * before it returned, and never a byte that nobody wrote. With leases and without.
 */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { OpenFile } from '../lib/open-files.js';

const NUL = '\0';

for (const args of [[], ['-o', 'nolease']]) {
  t.test(args.length === 0 ? 'with leases' : args.join(' '), async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const one = await mountHome(t, daemon, 'alice', { args });
    const two = await mountHome(t, daemon, 'alice', { args });
    const here = new OpenFile(t, one.mountpoint);
    const there = new OpenFile(t, two.mountpoint);

    t.test('bytes that are replaced in place, again and again', async (t) => {
      await here.do('open', 'same-size', 'w+');
      await here.do('write', 'aaaa', 0);
      await there.do('open', 'same-size', 'r+');
      for (const [writer, reader] of [
        [here, there],
        [there, here],
      ] as const) {
        for (let turn = 0; turn < 10; turn++) {
          const text = String(turn).padStart(4, 'x');
          await writer.do('write', text, 0);
          t.equal(await reader.do('read'), text);
        }
      }
    });

    t.test('a mapping after msync, both ways', async (t) => {
      await here.do('open', 'mapped', 'w+');
      await here.do('write', '--------', 0);
      await there.do('open', 'mapped', 'r+');
      await here.do('map', 8);
      await there.do('map', 8);
      for (const text of ['11111111', '22222222', '33333333']) {
        for (const [writer, reader] of [
          [here, there],
          [there, here],
        ] as const) {
          await writer.do('store', text);
          await writer.do('msync');
          t.equal(await reader.do('read'), text);
          t.equal(await reader.do('mapped'), text);
        }
      }
    });

    t.test('a private mapping keeps what is stored in it to itself', async (t) => {
      await here.do('open', 'private', 'w+');
      await here.do('write', '--------', 0);
      await there.do('open', 'private', 'r+');
      await there.do('map', 8, true);
      t.equal(await there.do('mapped'), '--------');
      await there.do('store', 'its own.');
      await there.do('msync');
      t.equal(await here.do('read'), '--------');
      t.equal(await there.do('read'), '--------');
      await here.do('write', 'changed!', 0);
      t.equal(await there.do('read'), 'changed!');
      t.equal(await there.do('mapped'), 'its own.');
    });

    t.test('pages that are written back go where they were, whoever appends', async (t) => {
      await here.do('open', 'log', 'a+');
      await here.do('write', 'first line\n', null);
      await there.do('open', 'log', 'a+');
      await there.do('write', 'another one\n', null);
      await here.do('map', 5);
      await here.do('store', 'FIRST');
      await here.do('msync');
      t.equal(await there.do('read'), 'FIRST line\nanother one\n');
      t.equal(await here.do('read'), 'FIRST line\nanother one\n');
    });

    t.test('a file that is saved anew while it is read has no byte that nobody wrote', async (t) => {
      const save = 'for i in $(seq 150); do seq 400 >saved; done; rm -f going';
      await one.succeed('sh', ['-c', 'touch going; seq 400 >saved']);
      const saving = one.succeed('sh', ['-c', save]);
      const read = 'while [ -e going ]; do cat saved; done';
      const [output] = await Promise.all([two.succeed('sh', ['-c', read], { timeoutMs: 60_000 }), saving]);
      t.not(output, '');
      t.notOk(output.includes(NUL));
    });

    t.test('a log that is followed while it grows has no byte that nobody wrote', async (t) => {
      await one.succeed('sh', ['-c', 'touch going grows']);
      const growing = one.succeed('sh', [
        '-c',
        'for i in $(seq 150); do echo line $i >>grows; done; rm -f going',
      ]);
      const read = 'exec 3<grows; while [ -e going ]; do cat <&3; cat grows >/dev/null; done; cat <&3';
      const [output] = await Promise.all([two.succeed('sh', ['-c', read], { timeoutMs: 60_000 }), growing]);
      t.equal(output, Array.from({ length: 150 }, (_, i) => `line ${i + 1}\n`).join(''));
    });
  });
}
