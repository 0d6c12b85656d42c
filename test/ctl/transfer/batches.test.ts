/*
 * Small files gathered into messages: full ones, and never one that waits for what does not come.
 */
import t from 'tap';
import { Batches } from '../../../ctl/transfer/batches.js';
import { MAX_DATA } from '../../../protocol/limits.js';

/** Messages as they were sent, and how to answer them. */
function gathering(items = 4): {
  batches: Batches<number, string>;
  sent: number[][];
  answer: (index: number, error?: Error) => void;
} {
  const sent: number[][] = [];
  const answers: ((error?: Error) => void)[] = [];
  const batches = new Batches<number, string>({
    items,
    weigh: (item) => item,
    send: (message) => {
      sent.push([...message]);
      return new Promise((resolve, reject) => {
        answers.push((error) => (error === undefined ? resolve(message.map(String)) : reject(error)));
      });
    },
  });
  return { batches, sent, answer: (index, error) => answers[index]?.(error) };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

t.test('what comes at once goes at once, and is answered one by one', async (t) => {
  const { batches, sent, answer } = gathering();
  const results = [batches.add(1), batches.add(2)];
  t.same(sent, []);
  await turn();
  t.same(sent, [[1, 2]]);
  answer(0);
  t.same(await Promise.all(results), ['1', '2']);
});

t.test('a message holds so many items, and so many bytes', async (t) => {
  const { batches, sent, answer } = gathering(2);
  for (const item of [1, 2, 3, MAX_DATA, 4]) void batches.add(item);
  await turn();
  t.same(sent, [[1, 2], [3], [MAX_DATA]]);
  answer(0);
  await turn();
  t.same(sent.at(-1), [4]);
});

t.test('while enough are under way those that come fill the next', async (t) => {
  const { batches, sent, answer } = gathering();
  for (const item of [1, 2, 3]) {
    void batches.add(item);
    await turn();
  }
  const later = [batches.add(4), batches.add(5)];
  await turn();
  t.same(sent, [[1], [2], [3]]);
  answer(1);
  await turn();
  t.same(sent.at(-1), [4, 5]);
  answer(3, new Error('refused'));
  for (const result of later) await t.rejects(result, { message: 'refused' });
});
