import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { shareName } from '../../../protocol/ids.js';
import { MAX_HOMES } from '../../../mount/shares/home-numbers.js';
import { failureOf } from '../remote/failure-of.js';
import { SeveralHomes, shareOf } from './several-homes.js';

const TEAM = shareName('team');

t.test('a share is entered once, for all who look it up at the same time', async (t) => {
  const { shares, entered } = await SeveralHomes.make(shareOf('team'));
  t.equal(shares.known(TEAM), undefined);
  const [one, other] = await Promise.all([shares.enter(TEAM), shares.enter(TEAM)]);
  t.equal(one, other);
  t.equal(entered.length, 1);
  t.equal(shares.known(TEAM), one);
  t.equal(shares.of(one.root), one);
});

t.test(
  'what the login fails with is told as a file system would, is logged, and is tried again',
  async (t) => {
    const homes = await SeveralHomes.make(shareOf('team'));
    const { shares } = homes;
    for (const [kind, shown] of [
      ['ENOENT', 'ENOENT'],
      ['EUSERS', 'EUSERS'],
      ['EBUSY', 'EUSERS'],
      ['EKEYREJECTED', 'EACCES'],
      ['HOSTKEY', 'EACCES'],
      ['ECONNREFUSED', 'ECONNREFUSED'],
    ] as const) {
      homes.onEnter = () => Promise.reject(new Failure(kind, `because ${kind}`));
      t.equal(await failureOf(shares.enter(TEAM)), shown);
      t.equal(await failureOf(shares.enter(TEAM)), shown);
      t.equal(homes.logged.length, 1, 'once while the reason is the same');
      t.match(homes.logged.pop(), /could not be entered.*"share":"team","reason":"because/);
    }
    homes.onEnter = () => Promise.resolve();
    t.ok(await shares.enter(TEAM));
  },
);

t.test('logins that fail use nothing up', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'), shareOf('other'));
  const { shares } = homes;
  homes.onEnter = () => Promise.reject(new Failure('EIO'));
  for (let i = 0; i < MAX_HOMES; i++) await failureOf(shares.enter(TEAM));
  await Promise.all([failureOf(shares.enter(TEAM)), failureOf(shares.enter(shareName('other')))]);
  homes.onEnter = () => Promise.resolve();
  const [one, other] = await Promise.all([shares.enter(TEAM), shares.enter(shareName('other'))]);
  t.not(one.root, other.root);
  t.equal(shares.of(one.root), one);
  t.equal(shares.of(other.root), other);
});

t.test('one whose session has ended is entered again, with other numbers', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  const { shares, entered, left } = homes;
  const before = await shares.enter(TEAM);
  homes.first.ended = new Failure('EACCES', 'over');
  t.equal(shares.known(TEAM), undefined);
  t.equal(await failureOf(() => shares.of(before.root)), 'ESTALE');
  const again = await shares.enter(TEAM);
  t.not(again.root, before.root);
  await shares.destroy();
  t.strictSame(left, entered, 'both are written back');
});

t.test('what is lost is ESTALE and written back; what comes is there', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  const { shares, entered, left } = homes;
  const { root } = await shares.enter(TEAM);
  t.strictSame(shares.update([shareOf('other')]), ['team', 'other']);
  t.equal(await failureOf(() => shares.of(root)), 'ESTALE');
  t.equal(shares.ifThere(root), undefined);
  t.equal(shares.get('team'), undefined);
  t.ok(shares.get('other'));
  t.ok(homes.first.filesystem.destroyed);
  t.equal([...shares.homes].length, 1, 'until it is written back');
  await shares.destroy();
  t.strictSame(left, entered);
  t.equal([...shares.homes].length, 0);
});

t.test('one that is lost while it is entered is not entered', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  let proceed = (): void => undefined;
  homes.onEnter = () => new Promise((resolve) => (proceed = resolve));
  const entering = homes.shares.enter(TEAM);
  homes.shares.update([]);
  proceed();
  t.equal(await failureOf(entering), 'ENOENT');
  await homes.shares.destroy();
  t.strictSame(homes.left, homes.entered, 'it is left in order');
  t.strictSame(homes.logged, []);
});

t.test('the end stops logins that are under way, and lets nobody in', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team'));
  homes.onEnter = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(new Failure('ECANCELED')));
    });
  const entering = failureOf(homes.shares.enter(TEAM));
  await homes.shares.destroy();
  t.equal(await entering, 'ENOTCONN');
  t.equal(await failureOf(homes.shares.enter(TEAM)), 'ENOTCONN');
});

t.test('rights that change are as the server says, at once', async (t) => {
  const homes = await SeveralHomes.make(shareOf('team', false));
  const { shares } = homes;
  const { root } = await shares.enter(TEAM);
  t.equal(await failureOf(() => shares.toChange(root)), 'EROFS');
  t.strictSame(shares.update([shareOf('team')]), []);
  t.ok(shares.toChange(root));
  t.equal(homes.first.rights, 1);
  shares.update([shareOf('team')]);
  t.equal(homes.first.rights, 1);
});
