/* Which homes belong to which state. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { adoptHomes, requireHomes, type MarkedState } from '../../state/homes-marker.js';
import { temporaryDirectory } from '../lib/directory.js';

function place(scope: Parameters<typeof temporaryDirectory>[0]): { state: MarkedState; homes: string } {
  return { state: { homes: undefined, homesId: undefined }, homes: temporaryDirectory(scope) };
}

t.test('the first start takes a directory, later ones find it again, wherever it is', (t) => {
  const { state, homes } = place(t);
  requireHomes(state, homes);
  t.equal(state.homes, homes);
  t.match(state.homesId, /^[0-9a-f]{32}$/);
  t.same(readdirSync(homes), ['.ftpmountd']);
  requireHomes(state, homes);
  const moved = `${homes}/../${state.homesId}`;
  mkdirSync(moved);
  t.teardown(() => rmSync(moved, { recursive: true }));
  adoptHomes(state, moved);
  requireHomes(state, moved);
  t.equal(state.homes, moved);
  t.end();
});

t.test(
  'a disk that is not mounted, other homes, or those of another state are refused, with what to do',
  (t) => {
    const one = place(t);
    const other = place(t);
    requireHomes(one.state, one.homes);
    requireHomes(other.state, other.homes);
    const refused = { kind: 'EINVAL', message: /ftpctl adopt/ };
    t.throws(() => requireHomes(one.state, other.homes), {
      ...refused,
      message: /another state.*ftpctl adopt/,
    });
    t.throws(() => requireHomes(place(t).state, one.homes), refused, 'of a state that is lost');
    rmSync(join(one.homes, '.ftpmountd'));
    t.throws(() => requireHomes(one.state, one.homes), { ...refused, message: /mounted.*ftpctl adopt/ });
    t.equal(one.state.homes, one.homes);
    t.same(readdirSync(one.homes), [], 'and nothing is written there');
    adoptHomes(one.state, one.homes);
    requireHomes(one.state, one.homes);
    t.end();
  },
);
