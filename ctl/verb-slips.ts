/**
 * Slips in the verb of a command such as `trash list`: what is no verb would be taken for a server, or for a path.
 */
import { Failure } from '../protocol/failure.js';

/** A shorter word is rather a server's name, and one with other characters a place. */
const MAY_BE_VERB = /^[a-z]{3,}$/;

/** Throws USAGE where a word is a verb but for one character, or two that changed places. `otherwise`: how it is written if it is meant. */
export function refuseSlip(
  command: string,
  word: string | undefined,
  verbs: readonly string[],
  otherwise: (word: string) => string,
): void {
  if (word === undefined || !MAY_BE_VERB.test(word) || verbs.includes(word)) return;
  const meant = verbs.find((verb) => isSlip(word, verb));
  if (meant === undefined) return;
  throw new Failure(
    'USAGE',
    `there is no '${command} ${word}': '${command} ${meant}' may be meant (${otherwise(word)})`,
  );
}

function isSlip(word: string, verb: string): boolean {
  let start = 0;
  while (start < verb.length && word[start] === verb[start]) start += 1;
  const [left, right] = [word.slice(start), verb.slice(start)];
  const swapped = `${left[1] ?? ''}${left[0] ?? ''}${left.slice(2)}`;
  const isOneMore = left.slice(1) === right;
  const isOneLess = left === right.slice(1);
  const isAnother = left.slice(1) === right.slice(1);
  return isOneMore || isOneLess || isAnother || swapped === right;
}
