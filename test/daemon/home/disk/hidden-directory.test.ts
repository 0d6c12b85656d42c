/*
 * The hidden directory: parts that follow each other, of which those that are empty go, and nothing of an earlier daemon.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConfinedTree } from '../../../../daemon/home/disk/confined.js';
import { HiddenDirectory } from '../../../../daemon/home/disk/hidden-directory.js';
import { temporaryDirectory } from '../../../lib/directory.js';
import type { Scope } from '../../../lib/scope.js';

function opened(t: Scope): { tree: ConfinedTree; place: string } {
  const home = join(temporaryDirectory(t), 'home');
  mkdirSync(home);
  const tree = ConfinedTree.open(home);
  t.teardown(() => tree.close());
  return { tree, place: join(home, '.ftpmount', 'granted') };
}

t.test('what is made goes into one part after the other, and none that is empty is kept', (t) => {
  const { tree, place } = opened(t);
  const hidden = new HiddenDirectory(tree);
  const names = Array.from({ length: 1500 }, () => {
    const { part, name } = hidden.next();
    t.ok(name.toString().startsWith(`${part.toString()}/`));
    return name.toString();
  });
  t.equal(new Set(names).size, names.length, 'no name twice');
  const parts = [...new Set(names.map((name) => name.split('/')[0] ?? ''))];
  t.ok(parts.length > 1);
  t.ok(readdirSync(place).length <= 2, 'the latest, and the one before it');

  const used = join(place, hidden.next().name.toString());
  mkdirSync(used);
  for (let i = 0; i < 1500; i++) hidden.next();
  t.ok(existsSync(used), 'what is in use stays');
  rmdirSync(used);
  hidden.close();
  t.strictSame(readdirSync(place), []);
  t.end();
});

t.test('what an earlier daemon left is removed', (t) => {
  const { tree, place } = opened(t);
  HiddenDirectory.clear(tree);
  mkdirSync(join(place, '7', '8'), { recursive: true });
  writeFileSync(join(place, '7', '9'), '');
  writeFileSync(join(place, '10'), '');
  HiddenDirectory.clear(tree);
  t.strictSame(readdirSync(place), []);
  t.end();
});
