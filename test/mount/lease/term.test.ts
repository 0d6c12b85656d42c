import t from 'tap';
import { Term } from '../../../mount/lease/term.js';

/** The server's, and what of it counts here. */
const SERVER_TERM_MS = 10_800;
const TERM_MS = 9_000;

/** A term with a clock that a test moves; timers are node's, so they come when they like: what they find counts. */
function setup(termMs = SERVER_TERM_MS): {
  term: Term;
  time: { now: number; heard: number };
  said: string[];
} {
  const time = { now: 0, heard: 0 };
  const said: string[] = [];
  const term = new Term({
    heard: () => time.heard,
    now: () => time.now,
    ping: () => said.push('ping'),
    ranOut: () => said.push('over'),
    termMs,
  });
  return { term, time, said };
}

t.test('it counts from when the request that was answered last had been sent', async (t) => {
  const { term, time } = setup();
  t.notOk(term.over);
  time.now = 8_999;
  t.notOk(term.over);
  time.heard = 5_000;
  time.now = 13_999;
  t.notOk(term.over);
  time.now = 14_000;
  t.ok(term.over);
});

t.test(
  'who held nothing for longer than the term may believe what is leased as soon as something is answered',
  async (t) => {
    const { term, time, said } = setup();
    time.now = 5 * TERM_MS;
    t.ok(term.over);
    term.hold(true);
    t.same(said, ['ping']);
    t.ok(term.over, 'not before');
    time.heard = 5 * TERM_MS;
    t.notOk(term.over);
    time.now += TERM_MS;
    t.ok(term.over, 'from then on it counts');
    time.heard = time.now;
    t.ok(term.over);
    term.hold(false);
  },
);

t.test('once over, only a login begins another one', async (t) => {
  const { term, time, said } = setup();
  term.hold(true);
  time.now = TERM_MS;
  t.ok(term.over);
  time.heard = TERM_MS;
  t.ok(term.over, 'others may have the leases, whatever is answered');
  term.hold(false);
  term.hold(true);
  t.ok(term.over);
  t.same(said, []);
  term.begin(SERVER_TERM_MS);
  t.notOk(term.over);
  time.now += TERM_MS - 1;
  t.notOk(term.over);
  time.now += 1;
  t.ok(term.over);
  term.begin(2 * SERVER_TERM_MS);
  t.notOk(term.over, 'a server that was restarted may have another term');
  term.hold(false);
});

t.test('a quiet third makes a ping', async (t) => {
  const { term, time, said } = setup();
  time.now = 2_000;
  term.hold(true);
  t.same(said, []);
  term.hold(false);
  time.now = 3_000;
  term.hold(true);
  t.same(said, ['ping']);
  term.hold(true);
  t.same(said, ['ping'], 'it is watched already');
  term.hold(false);
});

t.test('where nothing is held nothing happens; where something is, the end is told once', async (t) => {
  const began = performance.now();
  const silent = new Term({
    heard: () => began,
    now: () => performance.now(),
    ping: () => t.fail('nothing is held'),
    ranOut: () => t.fail('nothing is held'),
    termMs: 12,
  });
  silent.hold(true);
  silent.hold(false);
  const said: string[] = [];
  await new Promise<void>((resolve) => {
    const keep = setTimeout(() => undefined, 10_000);
    // Quiet for more than a third already, and soon over.
    const heard = performance.now() - 2_800;
    const term: Term = new Term({
      heard: () => heard,
      now: () => performance.now(),
      ping: () => said.push('ping'),
      ranOut: () => {
        said.push('over');
        clearTimeout(keep);
        t.ok(term.over);
        resolve();
      },
      termMs: 3_600,
    });
    term.hold(true);
  });
  t.equal(said.filter((each) => each === 'over').length, 1);
  t.ok(said.includes('ping'), 'it tried');
});
