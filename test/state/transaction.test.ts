/* What lmdb throws reaches people as what happened. That a disk is really full is tested in e2e. */
import t from 'tap';
import { committed, transact } from '../../state/transaction.js';
import { failing } from '../lib/failing.js';

const full = new Error('No space left on device: Attempting to write page at position 40960');

function table(thrown: Error): Parameters<typeof transact>[0] {
  return {
    transactionSync: () => {
      throw thrown;
    },
  };
}

t.test('a full disk is ENOSPC, anything else stays what it is', async (t) => {
  t.throws(() => transact(table(full), () => 1), failing('ENOSPC'));
  const other = new Error('MDB_CORRUPTED');
  t.throws(() => transact(table(other), () => 1), other);
});

t.test('a write off the thread tells the reason, and leaves no rejection behind', async (t) => {
  // As lmdb rejects: the error says where the reason is, a promise that nobody else looks at.
  const failed = Object.assign(new Error('Commit failed (see commitError for details)'), {
    commitError: Promise.reject(full),
  });
  await t.rejects(committed(Promise.reject(failed)), failing('ENOSPC'));
  await t.rejects(committed(Promise.reject(full)), failing('ENOSPC'));
  await committed(Promise.resolve(true));
});
