/* The directories that show shares: made and removed as changes of the home, and nothing that is the user's. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { showShares } from '../../../daemon/home/shared-directories.js';
import { RENAME_EXCHANGE } from '../../../protocol/operations.js';
import { shareName } from '../../../protocol/ids.js';
import { LEASE_WRITE } from '../../../protocol/methods.js';
import { failing } from '../../lib/failing.js';
import { homeTest, TestClient } from './fixture.js';

const [TEAM, MORE] = [shareName('team'), shareName('more')];

homeTest('made where they are missing, once', {}, async (t, home, place) => {
  const { user } = place;
  t.same(await showShares(home, { user, names: [MORE, TEAM], former: [] }), []);
  t.ok(
    existsSync(join(place.directory, 'Shared', 'more')) &&
      existsSync(join(place.directory, 'Shared', 'team')),
  );
  t.equal(home.quota.used.files, 3, 'they are charged');
  t.same(await showShares(home, { user, names: [MORE, TEAM], former: [MORE, TEAM] }), []);
  t.equal(home.status().clients, 0, 'nothing is left of who made them');
});

homeTest('who has leases gives them back first', {}, async (t, home, { user }) => {
  const mount = new TestClient(home, { wants: LEASE_WRITE });
  mount.leases();
  await showShares(home, { user, names: [TEAM], former: [] });
  t.not(mount.recalls().length, 0);
});

homeTest('removed where they are empty, and were made for a share', {}, async (t, home, place) => {
  const { user, directory } = place;
  const paths = new TestClient(home).paths;
  await paths.mkdir('Shared');
  await paths.mkdir('Shared/own');
  await paths.mkdir('Shared/more');
  await paths.put('Shared/more/kept', 'x');
  await showShares(home, { user, names: [MORE, TEAM], former: [] });
  await showShares(home, { user, names: [], former: [MORE, TEAM] });
  t.notOk(existsSync(join(directory, 'Shared', 'team')));
  t.ok(existsSync(join(directory, 'Shared', 'more', 'kept')) && existsSync(join(directory, 'Shared', 'own')));
  await paths.rmdir('Shared/own');
  await paths.unlink('Shared/more/kept');
  await showShares(home, { user, names: [], former: [MORE] });
  t.notOk(existsSync(join(directory, 'Shared')));
});

homeTest('they stay where they are while the user has the share', {}, async (t, home, place) => {
  const { user } = place;
  const { paths } = new TestClient(home);
  await paths.mkdir('Shared');
  await paths.mkdir('Shared/team');
  await paths.mkdir('other');
  await paths.put('file', 'x');
  await showShares(home, { user, names: [MORE, TEAM], former: [] });
  for (const name of ['Shared', 'Shared/team', 'Shared/more']) {
    await t.rejects(paths.rmdir(name), failing('EBUSY'), name);
    await t.rejects(paths.rename(name, 'elsewhere'), failing('EBUSY'), name);
    await t.rejects(paths.rename('file', name, RENAME_EXCHANGE), failing('EBUSY'), name);
    await t.rejects(paths.rename(name, 'file', RENAME_EXCHANGE), failing('EBUSY'), name);
    await t.rejects(paths.rename('other', name), failing('EBUSY'), name);
  }
  await paths.mkdir('Shared/own');
  await paths.rename('Shared/own', 'Shared/mine');
  await paths.rmdir('Shared/mine');
  await paths.mkdir('other/team');
  await paths.rmdir('other/team');
  await showShares(home, { user, names: [], former: [MORE] });
  await paths.rmdir('Shared/team');
  await paths.rmdir('Shared');
});

homeTest('what is no directory stays, and is told', {}, async (t, home, place) => {
  const { user } = place;
  await new TestClient(home).paths.mkdir('Shared');
  await new TestClient(home).paths.symlink('elsewhere', 'Shared/team');
  await new TestClient(home).paths.put('Shared/more', 'x');
  t.same(await showShares(home, { user, names: [MORE, TEAM], former: [] }), [MORE, TEAM]);
  t.same(await showShares(home, { user, names: [], former: [MORE, TEAM] }), []);
  t.ok(existsSync(join(place.directory, 'Shared', 'more')));
});

homeTest('where Shared itself is none, neither', {}, async (t, home, { user }) => {
  await new TestClient(home).paths.put('Shared', 'x');
  t.same(await showShares(home, { user, names: [TEAM], former: [] }), [TEAM]);
});

homeTest('nothing new is made where a share is shown', {}, async (t, home, { user }) => {
  const { paths } = new TestClient(home);
  await paths.put('file', 'x');
  await showShares(home, { user, names: [TEAM], former: [] });
  const refused = failing('EXDEV');
  await t.rejects(paths.mkdir('Shared/team/d'), refused);
  await t.rejects(paths.put('Shared/team/f', 'x'), refused);
  await t.rejects(paths.rename('file', 'Shared/team/f'), refused);
  await paths.mkdir('Shared/own');
  await showShares(home, { user, names: [], former: [] });
  await paths.mkdir('Shared/team/d');
});
