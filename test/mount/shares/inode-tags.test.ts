import t from 'tap';
import { InodeTags } from '../../../mount/shares/inode-tags.js';
import { shareName, type ShareName } from '../../../protocol/ids.js';

const NAMES = Array.from({ length: 64 }, (_, index) => shareName(`share-${index}`));

/** Two names whose tags are the same, each alone. */
function twoOfOneTag(): [ShareName, ShareName] {
  const byTag = new Map<bigint, ShareName>();
  for (let number = 0; ; number++) {
    const name = shareName(`n${number}`);
    const tag = new InodeTags().of(name);
    const before = byTag.get(tag);
    if (before !== undefined) return [before, name];
    byTag.set(tag, name);
  }
}

t.test(
  '64 shares have different tags, the same ones with each mount, in whatever order they come',
  async (t) => {
    const [one, other] = [new InodeTags(), new InodeTags()];
    one.give(NAMES);
    other.give(NAMES.toReversed());
    t.equal(new Set(NAMES.map((name) => one.of(name))).size, NAMES.length);
    t.strictSame(
      NAMES.map((name) => one.of(name)),
      NAMES.map((name) => other.of(name)),
    );
  },
);

t.test('two that would have the same tag get different ones, by the order of their names', async (t) => {
  const [first, second] = twoOfOneTag();
  const [one, other] = [new InodeTags(), new InodeTags()];
  one.give([first, second]);
  other.give([second, first]);
  t.not(one.of(first), one.of(second));
  t.equal(one.of(first), other.of(first));
  t.equal(one.of(second), other.of(second));
});

t.test('none is that of the own home; what is below 2^40 stays below 2^53, and apart', async (t) => {
  const tags = new InodeTags();
  tags.give(NAMES);
  const ino = 2n ** 40n - 1n;
  const seen = new Set([ino, ...NAMES.map((name) => ino ^ tags.of(name))]);
  t.equal(seen.size, NAMES.length + 1);
  t.ok([...seen].every((number) => number < 2n ** 53n));
});

t.test('a tag that is given back may be another’s', async (t) => {
  const tags = new InodeTags();
  const [first, second] = twoOfOneTag();
  const tag = tags.of(first);
  tags.takeBack(first);
  t.equal(tags.of(second), tag);
});
