import t from 'tap';
import { assemble } from '../../../mount/data/pieces.js';

/** Parts as texts with their places. */
function joined(
  parts: readonly (readonly [number, string | undefined])[],
  offset: number,
  end: number,
): unknown {
  const all = parts.map(([start, text]) => ({
    start,
    data: text === undefined ? undefined : Buffer.from(text),
  }));
  const pieces = assemble(all, offset, end);
  return pieces === undefined ? undefined : Buffer.concat(pieces).toString();
}

t.test('bytes are put together only where all are there, each at its place', (t) => {
  const parts = [
    [10, 'abcde'],
    [15, 'fgh'],
    [20, 'xyz'],
  ] as const;
  t.equal(joined(parts, 10, 18), 'abcdefgh');
  t.equal(joined(parts, 12, 16), 'cdef');
  t.equal(joined(parts, 16, 18), 'gh');
  t.equal(joined(parts, 21, 22), 'y');
  t.equal(joined(parts, 9, 12), undefined, 'before the first');
  t.equal(joined(parts, 16, 21), undefined, 'a gap');
  t.equal(joined(parts, 21, 24), undefined, 'behind the last');
  t.equal(joined(parts, 12, 12), '');
  t.equal(
    joined(
      [
        [0, 'ab'],
        [2, undefined],
        [4, 'ef'],
      ],
      0,
      6,
    ),
    undefined,
    'a part that is gone',
  );
  t.equal(
    joined(
      [
        [0, 'ab'],
        [2, undefined],
        [4, 'ef'],
      ],
      4,
      6,
    ),
    'ef',
  );
  t.end();
});
