/* A session is read from when nothing speaks against it, and is told why where it waits for others. */
import t from 'tap';
import { Hearing } from '../../../daemon/worker/hearing.js';

function heard() {
  const state = { reads: true, told: 0, backlog: { isUnread: false, isBehind: false } };
  const hearing = new Hearing({
    channel: { pause: () => (state.reads = false), resume: () => (state.reads = true) },
    backlog: state.backlog,
    tellBusy: () => (state.told += 1),
  });
  t.teardown(() => hearing.close());
  return { state, hearing };
}

t.test('each of three reasons is enough, and none may be left', async (t) => {
  const { state, hearing } = heard();
  hearing.rest();
  hearing.holdBack();
  state.backlog.isUnread = true;
  hearing.look();
  t.equal(state.reads, false);
  hearing.goOn();
  t.equal(state.reads, false);
  hearing.letGo();
  t.equal(state.reads, false);
  state.backlog.isUnread = false;
  hearing.look();
  t.equal(state.reads, true);
});

t.test('who waits for a log or the bandwidth is told; who does not read is not', async (t) => {
  const { state, hearing } = heard();
  hearing.rest();
  t.strictSame([hearing.tellsBusy, state.told], [false, 0], 'a turn is short');
  hearing.goOn();
  state.backlog.isBehind = true;
  hearing.look();
  hearing.look();
  t.strictSame([hearing.tellsBusy, state.told], [true, 1]);
  state.backlog.isUnread = true;
  hearing.look();
  t.equal(hearing.tellsBusy, false);
  state.backlog.isUnread = false;
  state.backlog.isBehind = false;
  hearing.look();
  t.strictSame([hearing.tellsBusy, state.reads], [false, true]);
  hearing.holdBack();
  t.strictSame([hearing.tellsBusy, state.told], [true, 1], 'it was told a moment ago');
  hearing.letGo();
  t.strictSame([hearing.tellsBusy, state.reads], [false, true]);
});

t.test('what is answered after the end starts nothing', async (t) => {
  const { state, hearing } = heard();
  hearing.holdBack();
  hearing.close();
  hearing.look();
  t.strictSame([hearing.tellsBusy, state.told], [false, 1]);
});
