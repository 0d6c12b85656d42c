/* What is believed of the figures of a run that ended in order, that was killed, and that a power cut ended. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { userName } from '../../protocol/ids.js';
import { beginRun, bootId, endRun } from '../../state/boot.js';
import { openState, type State } from '../../state/store.js';
import { temporaryDirectory } from '../lib/directory.js';

const ALICE = userName('alice');
const OTHER_BOOT = Buffer.alloc(16, 7);

function counted(t: Test): State {
  const state = openState(join(temporaryDirectory(t), 'state'));
  t.teardown(() => state.close());
  const limits = { quotaBytes: 0, maxFiles: 0 };
  const account = {
    name: ALICE,
    ...limits,
    passwordHash: null,
    keys: [],
    createdAt: 0,
    disabled: false,
    expiresAt: null,
  };
  state.accounts.create(account);
  state.ledger.write(account, { bytes: 3, files: 1 }, true);
  beginRun(state, OTHER_BOOT);
  return state;
}

t.test('a run that was killed leaves what was settled', async (t) => {
  const state = counted(t);
  beginRun(state, OTHER_BOOT);
  t.strictSame(state.ledger.read(ALICE), { bytes: 3, files: 1, clean: true });
});

t.test('a run that another boot ended leaves nothing that is believed', async (t) => {
  const state = counted(t);
  beginRun(state);
  t.strictSame(state.ledger.read(ALICE), { bytes: 3, files: 1, clean: false });
  t.equal(state.runningIn, bootId().toString('hex'));
});

t.test('a run that ended in order is believed in another boot', async (t) => {
  const state = counted(t);
  endRun(state);
  beginRun(state);
  t.strictSame(state.ledger.read(ALICE), { bytes: 3, files: 1, clean: true });
});
