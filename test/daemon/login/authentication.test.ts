/* Who is let in, what the others are told, and what trying costs; the clock is the test's. */
import t from 'tap';
import {
  Authentication,
  type Clock,
  type Credentials,
  type PasswordChecker,
} from '../../../daemon/login/authentication.js';
import { Throttle } from '../../../daemon/login/throttle.js';
import { Failure } from '../../../protocol/failure.js';
import { userName } from '../../../protocol/ids.js';
import type { Account } from '../../../state/accounts.js';
import { DECOY_HASH } from '../../../state/password.js';

const KEY = Buffer.alloc(32, 7);
const OTHER_KEY = Buffer.alloc(32, 8);
const NEVER = new AbortController().signal;

function account(name: string, changes: Partial<Account> = {}): Account {
  return {
    name: userName(name),
    quotaBytes: 0,
    maxFiles: 0,
    passwordHash: `hash of ${name}'s password`,
    keys: [],
    createdAt: 0,
    disabled: false,
    expiresAt: null,
    ...changes,
  };
}

/** A clock whose sleepers wake at once, and which is later then. */
class FakeClock implements Clock {
  time = 0;
  readonly slept: number[] = [];
  now(): number {
    return this.time;
  }
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.slept.push(ms);
    this.time += ms;
    return Promise.resolve();
  }
}

function setUp(
  accounts: Account[] = [
    account('alice'),
    account('closed', { disabled: true }),
    account('keyless', { passwordHash: null }),
  ],
) {
  const clock = new FakeClock();
  const hashes: string[] = [];
  const passwords: PasswordChecker = {
    verify: async (hash, password, proceed) => {
      if (!proceed()) return undefined;
      hashes.push(hash);
      return hash === `hash of ${password}`;
    },
  };
  const authentication = new Authentication({
    lookUp: (name) => accounts.find((one) => one.name === name),
    passwords,
    throttle: new Throttle({ lockoutFailures: 4, lockoutMs: 300_000 }),
    clock,
  });
  const attempt = (changes: Partial<Credentials>, signal = NEVER) =>
    authentication.authenticate(
      { user: 'alice', password: null, publicKey: KEY, address: '192.0.2.1', ...changes },
      signal,
    );
  return { attempt, clock, hashes, accounts };
}

const REJECTED = { name: 'Failure', kind: 'EKEYREJECTED', message: 'wrong user or password' };

t.test('the right password', async (t) => {
  const { attempt } = setUp();
  const { account: found, key } = await attempt({ password: "alice's password" });
  t.equal(found.name, 'alice');
  t.equal(key, null);
});

t.test('a key of the user is enough, of another it is not', async (t) => {
  const key = { publicKey: KEY.toString('base64'), comment: '' };
  const { attempt, hashes } = setUp([account('alice', { keys: [key] }), account('lily')]);
  t.equal((await attempt({})).key, key.publicKey);
  await t.rejects(attempt({ publicKey: OTHER_KEY }), { name: 'Failure', kind: 'ENOKEY' });
  await t.rejects(attempt({ user: 'lily' }), { name: 'Failure', kind: 'ENOKEY' });
  t.same(hashes, [], 'keys cost no password check');
});

t.test('a disabled account has no key', async (t) => {
  const keys = [{ publicKey: KEY.toString('base64'), comment: '' }];
  const { attempt } = setUp([account('alice', { keys, disabled: true })]);
  await t.rejects(attempt({}), { name: 'Failure', kind: 'ENOKEY' });
});

t.test('that an account has expired is for who proves that it is his', async (t) => {
  const key = { publicKey: KEY.toString('base64'), comment: '' };
  const { attempt } = setUp([account('alice', { keys: [key], expiresAt: 1 })]);
  const EXPIRED = { name: 'Failure', kind: 'EKEYEXPIRED', message: /^the account has expired/ };
  await t.rejects(attempt({}), EXPIRED);
  await t.rejects(attempt({ publicKey: OTHER_KEY }), { name: 'Failure', kind: 'ENOKEY' });
  await t.rejects(attempt({ publicKey: OTHER_KEY, password: 'x' }), REJECTED);
  await t.rejects(attempt({ publicKey: OTHER_KEY, password: "alice's password" }), EXPIRED);
  const later = setUp([account('alice', { expiresAt: Date.now() + 60_000 })]);
  t.ok(await later.attempt({ password: "alice's password" }));
});

t.test(
  'unknown, disabled, password-less and ill-named users: same cost, same answer, same delay',
  async (t) => {
    const observed = [];
    for (const user of ['alice', 'nobody', 'closed', 'keyless', '../../etc', '']) {
      const { attempt, clock, hashes } = setUp();
      await t.rejects(attempt({ user }), { name: 'Failure', kind: 'ENOKEY' });
      await t.rejects(attempt({ user, password: 'x' }), REJECTED);
      await t.rejects(attempt({ user, password: 'x' }), REJECTED);
      observed.push({ checks: hashes.length, slept: clock.slept });
      if (user !== 'alice') t.same(new Set(hashes), new Set([DECOY_HASH]));
    }
    t.same(
      observed,
      Array.from(observed, () => ({ checks: 2, slept: [250] })),
    );
  },
);

t.test(
  'delays grow, then the user is locked out there for a time, even with the right password',
  async (t) => {
    for (const user of ['alice', 'nobody']) {
      const { attempt, clock, hashes } = setUp();
      for (let i = 0; i < 4; i++) await t.rejects(attempt({ user, password: 'x' }), REJECTED);
      t.same(clock.slept, [250, 500, 1000]);
      await t.rejects(attempt({ user, password: `${user}'s password` }), {
        name: 'Failure',
        kind: 'EAGAIN',
        message: 'too many failed logins: try again in 5 min',
      });
      t.equal(hashes.length, 4, 'a locked user costs nothing more');
      if (user === 'alice') await attempt({ user, password: "alice's password", address: '192.0.2.2' });
      clock.time += 300_000;
      if (user === 'alice') await attempt({ user, password: "alice's password" });
    }
  },
);

t.test('who was let in keeps getting in, by password or key, whatever strangers guess', async (t) => {
  const keys = [{ publicKey: KEY.toString('base64'), comment: '' }];
  const { attempt, clock } = setUp([account('alice', { keys })]);
  const password = "alice's password";
  await attempt({ password, publicKey: OTHER_KEY, address: 'office' });
  t.ok((await attempt({ address: 'home' })).key);
  for (let i = 0; i < 20; i++) {
    await t.rejects(
      attempt({ password: 'x', publicKey: Buffer.alloc(32, 100 + i), address: `a${i}` }),
      REJECTED,
    );
  }
  clock.slept.length = 0;
  t.ok((await attempt({ address: 'anywhere' })).key, 'by key');
  await attempt({ password, publicKey: OTHER_KEY, address: 'anywhere' });
  await attempt({ password, publicKey: Buffer.alloc(32, 99), address: 'office' });
  await attempt({ password, publicKey: Buffer.alloc(32, 98), address: 'home' });
  t.same(clock.slept, [], 'and at once');
});

t.test('tries in parallel are delayed as those in a row', async (t) => {
  const clock = new FakeClock();
  let checks = 0;
  const waiting: (() => void)[] = [];
  // Like the thread: everything is queued first, the turns come later.
  const passwords: PasswordChecker = {
    verify: (_hash, _password, proceed) =>
      new Promise((resolve) => {
        waiting.push(() => {
          const run = proceed();
          if (run) checks += 1;
          resolve(run ? false : undefined);
        });
      }),
  };
  const authentication = new Authentication({
    lookUp: () => undefined,
    passwords,
    throttle: new Throttle({ lockoutFailures: 4, lockoutMs: 300_000 }),
    clock,
  });
  const credentials = { user: 'alice', password: 'x', publicKey: KEY, address: 'a' };
  const tries = Array.from({ length: 20 }, () =>
    authentication.authenticate(credentials, NEVER).catch((error: unknown) => Failure.from(error).kind),
  );
  const all = Promise.all(tries);
  const turns = setInterval(() => waiting.shift()?.());
  t.teardown(() => clearInterval(turns));
  t.same(new Set(await all), new Set(['EKEYREJECTED', 'EAGAIN']));
  t.equal(checks, 4, 'no more passwords were tried than the limit allows');
});

t.test('who went away does not wait on', async (t) => {
  const { attempt } = setUp();
  await t.rejects(attempt({ password: 'x' }), REJECTED);
  await t.rejects(attempt({ password: 'x' }, AbortSignal.abort()), { name: 'AbortError' });
});

t.test('a password that is changed during the check lets in no more', async (t) => {
  const accounts = [account('alice')];
  const { attempt } = setUp(accounts);
  const trying = attempt({ password: "alice's password" });
  accounts[0] = account('alice', { passwordHash: 'hash of another' });
  await t.rejects(trying, REJECTED);
  t.equal((await attempt({ password: 'another' })).account.name, 'alice');
});

t.test('an account that is closed during the check does not get in', async (t) => {
  const accounts = [account('alice')];
  const { attempt } = setUp(accounts);
  const trying = attempt({ password: "alice's password" });
  accounts[0] = account('alice', { disabled: true });
  await t.rejects(trying, REJECTED);
});
