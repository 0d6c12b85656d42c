/* Which words are slips of a verb, and which are places. */
import t from 'tap';
import { refuseSlip } from '../../ctl/verb-slips.js';

const VERBS = ['list', 'restore', 'rm', 'empty'];
const told = (word: string | undefined): string => {
  try {
    refuseSlip('trash', word, VERBS, (meant) => `${meant}:`);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

t.test('one character more, less or another, or two that changed places', async (t) => {
  for (const [word, verb] of [
    ['lists', 'list'],
    ['lst', 'list'],
    ['lisy', 'list'],
    ['lsit', 'list'],
    ['emtpy', 'empty'],
    ['restor', 'restore'],
    ['rmm', 'rm'],
  ]) {
    t.match(told(word), `there is no 'trash ${word}': 'trash ${verb}' may be meant (${word}:)`);
  }
});

t.test('verbs, other words, and what names a place with more than letters', async (t) => {
  for (const word of [
    undefined,
    ...VERBS,
    'alice',
    'm',
    'rn',
    'lis:',
    'list:',
    'lis@h',
    './lis',
    'LIST',
    'lis1',
  ])
    t.equal(told(word), '', `${word}`);
});
