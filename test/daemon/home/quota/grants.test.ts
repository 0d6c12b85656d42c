/*
 * Room of the quota given ahead: nobody else gets it, the log uses it first, and none of it is lost.
 */
import { GrantedAway } from '../../../../daemon/home/quota/grants.js';
import { idOf } from '../../../../daemon/home/disk/file-ids.js';
import { kindOf } from '../fixture.js';
import {
  create,
  link,
  mkdir,
  partsTest,
  refTo,
  release,
  rename,
  setattr,
  unlink,
  write,
} from '../home-parts.js';

partsTest('what is granted to one is not there for others', { bytes: 100, files: 4 }, async (t, parts) => {
  const one = parts.client();
  const two = parts.client();
  t.strictSame(one.grant.take(60, 3, 0, 0).slice(0, 2), [60, 3]);
  t.strictSame(two.grant.take(60, 3, 0, 0).slice(0, 2), [40, 1], 'as much as there is');
  t.strictSame(parts.quota.used, { bytes: 0, files: 0 });
  two.grant.take(-40, -1, 0, 0);
  const f = refTo(two.changed(create(parts.home, 'f')));
  t.throws(() => two.change(create(parts.home, 'g')), { message: /granted/ });
  t.throws(() => two.change(write(f, 0, Buffer.alloc(41))), { message: /granted/ });
  t.strictSame(parts.quota.used, { bytes: 0, files: 1 }, 'nothing was done');
  one.grant.allNeeded();
  t.equal(await kindOf(() => two.change(create(parts.home, 'g'))), 'EDQUOT');
  t.equal(await kindOf(() => two.change(write(f, 0, Buffer.alloc(41)))), 'EDQUOT');
  t.strictSame(parts.quota.used, { bytes: 40, files: 1 }, 'what fits was written');
  one.grant.take(-1000, -1000, 0, 0);
  t.strictSame(one.grant.left, { bytes: 0, files: 0 }, 'no more is given back than there was');
  two.change(write(f, 40, Buffer.alloc(60)));
});

partsTest(
  'the log is charged to the grant, then to the quota',
  { bytes: 100, files: 10 },
  async (t, parts) => {
    const client = parts.client();
    client.grant.take(50, 2, 0, 0);
    client.log(create(parts.home, 'f'));
    const f = refTo(parts.identities.lookup(parts.home, Buffer.from('f')).status);
    client.log(write(f, 0, Buffer.alloc(30)));
    t.strictSame(client.grant.left, { bytes: 20, files: 1 });
    client.log(write(f, 30, Buffer.alloc(30)));
    t.strictSame(client.grant.left, { bytes: 0, files: 1 });
    t.strictSame(parts.quota.used, { bytes: 60, files: 1 });
    t.equal(await kindOf(() => client.log(write(f, 60, Buffer.alloc(41)))), 'EDQUOT');
    t.strictSame(parts.quota.used, { bytes: 100, files: 1 }, 'what fits was written');
    client.log(setattr(f, { size: 10 }));
    t.strictSame(client.grant.left, { bytes: 90, files: 1 }, 'what it frees, the client has at once');
    client.log(unlink(parts.home, 'f'));
    t.strictSame(client.grant.left, { bytes: 100, files: 2 });
    t.strictSame(parts.quota.used, { bytes: 0, files: 0 });
  },
);

partsTest(
  'awaited changes leave the grant alone, of which the client may be using the last byte',
  { bytes: 100, files: 10 },
  async (t, parts) => {
    const client = parts.client();
    client.grant.take(50, 2, 0, 0);
    const f = refTo(client.changed(create(parts.home, 'f')));
    client.change(write(f, 0, Buffer.alloc(40)));
    t.strictSame(client.grant.left, { bytes: 50, files: 2 });
    const growing = (): unknown => client.change(write(f, 40, Buffer.alloc(30)));
    t.throws(growing, { message: new GrantedAway().message }, 'it is to be asked for');
    t.strictSame(client.grant.left, { bytes: 50, files: 2 });
    client.grant.take(-50, 0, 0, 0);
    client.change(write(f, 40, Buffer.alloc(30)));
    t.equal(await kindOf(() => parts.client().change(write(f, 70, Buffer.alloc(31)))), 'EDQUOT');
    client.change(setattr(f, { size: 0 }));
    t.strictSame(client.grant.left, { bytes: 0, files: 2 }, 'what it frees is for all');
  },
);

partsTest('what is freed by the last release goes to the log that released', { bytes: 100 }, (t, parts) => {
  const client = parts.client();
  const f = client.changed(create(parts.home, 'f'));
  client.change(write(refTo(f), 0, Buffer.alloc(10)));
  client.log(unlink(parts.home, 'f', { hold: true }));
  t.strictSame([client.grant.left.bytes, parts.quota.used.bytes], [0, 10]);
  client.log(release(idOf(f)));
  t.strictSame(client.grant.left, { bytes: 10, files: 1 });
  t.strictSame(parts.quota.used, { bytes: 0, files: 0 });
});

partsTest('limits lowered below what is granted', { bytes: 100, files: 10 }, async (t, parts) => {
  const client = parts.client();
  client.grant.take(80, 5, 0, 0);
  parts.quota.setLimits({ bytes: 50, files: 3 });
  t.strictSame(parts.quota.room, { bytes: 0, files: 0 });
  t.equal(await kindOf(() => parts.client().change(create(parts.home, 'x'))), 'EDQUOT');
  client.log(create(parts.home, 'f'));
  t.strictSame(client.grant.take(10, 1, 0, 0).slice(0, 2), [0, 0]);
  client.grant.take(-80, -4, 0, 0);
  t.strictSame(parts.quota.room, { bytes: 50, files: 2 });
});

partsTest(
  'what the log frees beyond lowered limits is not granted again',
  { bytes: 100, files: 10 },
  async (t, parts) => {
    const client = parts.client();
    client.grant.take(100, 3, 0, 0);
    client.log(create(parts.home, 'f'), create(parts.home, 'g'));
    const [f, g] = ['f', 'g'].map((name) =>
      refTo(parts.identities.lookup(parts.home, Buffer.from(name)).status),
    );
    client.log(write(f ?? parts.home, 0, Buffer.alloc(80)));
    parts.quota.setLimits({ bytes: 50, files: 2 });
    client.grant.take(-20, -1, 0, 0);
    client.log(setattr(f ?? parts.home, { size: 40 }));
    t.strictSame(client.grant.left.bytes, 10, 'as far as there is room');
    client.log(write(g ?? parts.home, 0, Buffer.alloc(10)));
    t.equal(await kindOf(() => client.log(write(g ?? parts.home, 10, Buffer.alloc(1)))), 'EDQUOT');
    parts.quota.setLimits({ bytes: 50, files: 1 });
    client.log(unlink(parts.home, 'g'));
    t.equal(client.grant.left.files, 0);
    t.equal(await kindOf(() => client.log(create(parts.home, 'h'))), 'EDQUOT');
    client.log(unlink(parts.home, 'f'));
    t.strictSame(client.grant.left, { bytes: 50, files: 1 });
  },
);

partsTest('without limits all is granted that can be counted, to each', {}, (t, parts) => {
  const all = Number.MAX_SAFE_INTEGER;
  const [one, two] = [parts.client(), parts.client()];
  const most = one.grant.take(all, all, 0, 0).slice(0, 2);
  t.strictSame(two.grant.take(all, all, 0, 0).slice(0, 2), most);
  one.log(mkdir(parts.home, 'd'));
  t.equal(one.grant.left.files, Number(most[1]) - 1);
});

partsTest(
  'grants, logs and changes of four clients at the limit',
  { bytes: 64 * 1024, files: 40 },
  async (t, parts) => {
    const clients = Array.from({ length: 4 }, () => parts.client());
    let seed = 4711;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor(seed / 65_536) % below;
    };
    const name = () => `f${random(30)}`;
    let refused = 0;
    for (let round = 0; round < 6000; round++) {
      const client = clients[random(clients.length)];
      if (client === undefined) throw new Error('no client');
      const run = random(2) === 0 ? client.log.bind(client) : client.change.bind(client);
      const file = () => refTo(parts.identities.lookup(parts.home, Buffer.from(name())).status);
      const kind = await kindOf(() => {
        switch (random(9)) {
          case 0:
            return run(create(parts.home, name()));
          case 1:
          case 2:
            return run(write(file(), random(8192), Buffer.alloc(1 + random(6000))));
          case 3:
            return run(setattr(file(), { size: random(8192) }));
          case 4:
            return run(unlink(parts.home, name(), { hold: random(2) === 0 }));
          case 5:
            return run(
              rename([parts.home, name()], [parts.home, name()], { flags: random(3), hold: random(2) === 0 }),
            );
          case 6:
            return run(link(file(), parts.home, name()));
          case 7:
            return client.grant.take(random(40_000) - 20_000, random(20) - 10, random(3), random(2));
          default:
            client.held.close();
            return [];
        }
      });
      if (kind === 'EDQUOT') refused += 1;
      const { used, granted, limits } = parts.quota;
      if (used.bytes + granted.bytes > limits.bytes || used.files + granted.files > limits.files) {
        t.fail('the limit was passed');
      }
      const left = clients.reduce((sum, { grant }) => sum + grant.left.bytes, 0);
      if (left !== granted.bytes) t.fail('what is granted is not what clients have left');
      if (round % 1000 === 0) {
        const { charged, counted } = await parts.counts();
        t.strictSame(charged, counted);
      }
    }
    t.ok(refused > 100, `the limit was met ${refused} times`);
  },
);
