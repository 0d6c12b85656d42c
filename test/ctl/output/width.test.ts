import t from 'tap';
import { fitted, widthOf } from '../../../ctl/output/width.js';

t.test('columns of a terminal', async (t) => {
  for (const [text, columns] of [
    ['', 0],
    ['plain', 5],
    ['漢字', 4],
    ['한국어', 6],
    ['e\u0301', 1],
    ['😀', 2],
    ['a😀漢', 5],
  ] as const)
    t.equal(widthOf(text), columns, text);
  t.ok(widthOf('👨‍👩‍👧') >= 6, 'as many as a terminal takes that joins nothing');
});

t.test('a name in so many columns', async (t) => {
  for (const [text, shown] of [
    ['short', 'short     '],
    ['0123456789', '0123456789'],
    ['0123456789a', '...456789a'],
    ['漢字', '漢字      '],
    ['漢字漢字漢字.bin', '...字.bin '],
    ['e\u0301e\u0301', 'e\u0301e\u0301        '],
    ['0123456789e\u0301abcdef', '...\u{65}\u0301abcdef'],
    ['0123456789😀abcdef', '...abcdef '],
  ] as const) {
    t.equal(fitted(text, 10), shown, text);
    t.notMatch(fitted(text, 10), /\p{Cs}/u, 'no half of a character');
  }
});
