/* What lmdb throws reaches people as what happened, and nothing is written without room. That a disk is really full is tested in e2e. */
import t from 'tap';
import { Failure } from '../../protocol/failure.js';
import { Transactions } from '../../state/transaction.js';
import { failing } from '../lib/failing.js';

const full = new Error('No space left on device: Attempting to write page at position 40960');
const roomy = { require: () => undefined };

function throwing(thrown: Error): ConstructorParameters<typeof Transactions>[0] {
  return {
    transactionSync: () => {
      throw thrown;
    },
  };
}

t.test('a full disk is ENOSPC, anything else stays what it is', async (t) => {
  t.throws(() => new Transactions(throwing(full), roomy).run(() => 1), failing('ENOSPC'));
  const other = new Error('MDB_CORRUPTED');
  t.throws(() => new Transactions(throwing(other), roomy).run(() => 1), other);
});

t.test('a write off the thread tells the reason, and leaves no rejection behind', async (t) => {
  const transactions = new Transactions(throwing(full), roomy);
  // As lmdb rejects: the error says where the reason is, a promise that nobody else looks at.
  const failed = Object.assign(new Error('Commit failed (see commitError for details)'), {
    commitError: Promise.reject(full),
  });
  await t.rejects(
    transactions.committed(() => Promise.reject(failed)),
    failing('ENOSPC'),
  );
  await t.rejects(
    transactions.committed(() => Promise.reject(full)),
    failing('ENOSPC'),
  );
  await transactions.committed(() => Promise.resolve(true));
});

t.test('without room lmdb is not asked', async (t) => {
  const transactions = new Transactions(throwing(new Error('asked')), {
    require() {
      throw new Failure('ENOSPC', 'no room');
    },
  });
  t.throws(() => transactions.run(() => 1), failing('ENOSPC'));
  await t.rejects(
    transactions.committed(() => Promise.reject(new Error('asked'))),
    failing('ENOSPC'),
  );
});
