/*
 * A real home in a temporary directory with a real ledger, and clients that call it as a session does, but without a
 * connection. After each homeTest the charge must be what the tree holds.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { userName } from '../../../protocol/ids.js';
import {
  LEASE_NONE,
  METHODS,
  type LeaseItem,
  type LeaseMode,
  type NotificationName,
  type NotificationParams,
  type Result,
} from '../../../protocol/methods.js';
import type { SoftQuota } from '../../../state/soft-quota.js';
import { openState, type State } from '../../../state/store.js';
import { Call } from '../../../daemon/home/calls/call.js';
import { copyOf } from '../../../daemon/home/calls/copies.js';
import { answer, LentData, type HomeMethod } from '../../../daemon/home/dispatch.js';
import type { ClientSession, HomeClient } from '../../../daemon/home/home-client.js';
import { UserHome, type UserHomeOptions } from '../../../daemon/home/user-home.js';
import type { Log } from '../../../daemon/log.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { PathClient, type Caller } from '../../lib/path-client.js';

// The daemon does so, too: modes are the client's.
process.umask(0);

export interface Limits {
  readonly bytes?: number;
  readonly files?: number;
  readonly posixOwners?: boolean;
  readonly soft?: SoftQuota;
  /** Account.trashMs */
  readonly trashMs?: number;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A home on the disk, which may be opened several times, one after the other. */
export class Place {
  readonly directory: string;
  readonly state: State;
  readonly lines: LogLine[] = [];
  readonly #t: Test;
  readonly #limits: Limits;

  /** `directory`: an existing one, instead of a new one. */
  constructor(t: Test, limits: Limits = {}, options: { directory?: string; user?: string } = {}) {
    this.#t = t;
    this.#limits = limits;
    const base = temporaryDirectory(t);
    this.directory = options.directory ?? join(base, options.user ?? 'alice');
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    this.state = openState(join(base, 'state'));
    this.user = userName(options.user ?? 'alice');
    this.state.accounts.create({
      ...this.account,
      passwordHash: null,
      keys: [],
      disabled: false,
      expiresAt: null,
    });
    t.teardown(() => this.state.close());
  }

  readonly user;

  get account() {
    const { bytes = 0, files = 0, posixOwners = false, soft = {}, trashMs = 0 } = this.#limits;
    return {
      name: this.user,
      createdAt: 0,
      quotaBytes: bytes,
      maxFiles: files,
      posixOwners,
      trashMs,
      ...soft,
    };
  }

  /** A home that is not really synced, which would wait for all that others write to the disk of the tests. */
  async open(
    options: Partial<
      Pick<
        UserHomeOptions,
        | 'clock'
        | 'leaseTermMs'
        | 'maxOpenFiles'
        | 'onIdle'
        | 'openWatch'
        | 'sliceMs'
        | 'sync'
        | 'uploadKeepMs'
      >
    > = {},
  ): Promise<UserHome> {
    const home = await UserHome.open({
      record: this.account,
      directory: this.directory,
      ledger: this.state.ledger,
      uploads: this.state.uploads,
      digests: this.state.digests,
      log: this.log(),
      transferLog: this.log(),
      sync: () => Promise.resolve(),
      uploadKeepMs: 86_400_000,
      ...options,
    });
    this.#t.teardown(() => home.close());
    return home;
  }

  /** A log whose lines are kept. */
  log(): Log {
    const at = (level: string) => (fields: Record<string, unknown>, message: string) => {
      this.lines.push({ level, fields, message });
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
}

let lastClient = 0;

/** What a client was told, in order. */
type Told = { [N in NotificationName]: [name: N, params: NotificationParams<N>] }[NotificationName];

/** A client of a home, and what it was told. */
export class TestClient implements ClientSession, Caller {
  readonly user = userName('alice');
  readonly isReadOnly: boolean;
  readonly id: Buffer;
  readonly home: UserHome;
  readonly client: HomeClient;
  readonly resumed: boolean;
  readonly leased: boolean;
  readonly covered: boolean;
  /** Its calls by paths. */
  readonly paths: PathClient;
  readonly told: Told[] = [];
  /** It does not give back what is recalled, unless the test does. */
  readonly #keeps: boolean;
  dropped: Failure | undefined;
  /** Why it was asked to connect again. */
  readonly asked: string[] = [];

  constructor(
    home: UserHome,
    options: {
      wants?: LeaseMode;
      keeps?: boolean;
      id?: Buffer;
      lastChange?: number;
      isReadOnly?: boolean;
    } = {},
  ) {
    this.home = home;
    this.#keeps = options.keeps ?? false;
    this.isReadOnly = options.isReadOnly ?? false;
    this.id = options.id ?? Buffer.alloc(16);
    if (options.id === undefined) this.id.writeUInt32BE(++lastClient);
    const attached = home.attach(this.id, this, options.wants ?? LEASE_NONE);
    ({ client: this.client, resumed: this.resumed, leased: this.leased, covered: this.covered } = attached);
    this.paths = new PathClient(this, options.lastChange);
    home.entered(this.client);
  }

  notify<N extends NotificationName>(name: N, params: NotificationParams<N>): void {
    this.told.push([name, params] as Told);
    if (name === 'recall' && !this.#keeps) queueMicrotask(() => this.give((params as [LeaseItem[]])[0]));
  }

  drop(failure: Failure): void {
    this.dropped = failure;
  }

  reconnect(reason: string): void {
    this.asked.push(reason);
  }

  /** The connection ends. */
  leave(): void {
    this.home.detach(this.client, this);
  }

  /** Gives leases back. */
  give(items: LeaseItem[]): void {
    void this.call('returned', [items]);
  }

  /** What it was told to hold since it was asked last. */
  leases(): LeaseItem[] {
    return this.#items('lease');
  }

  /** What was recalled since it was asked last. */
  recalls(): LeaseItem[] {
    return this.#items('recall');
  }

  /** Calls a method with parameters as they travel; texts are paths and names. */
  async call<M extends HomeMethod>(
    method: M,
    params: readonly unknown[],
    call: Call = new Call(),
  ): Promise<Result<M>> {
    // Shapes put what they read in the place of what was there.
    const wire = params.map((param) => (typeof param === 'string' ? Buffer.from(param) : copyOf(param)));
    this.home.heard(this.client, method !== 'apply' && method !== 'relock');
    const answered = answer(this.home, this.client, method, METHODS[method].params(wire), call);
    // What is answered at once is good in this turn only.
    const result = copyOf(answered instanceof Promise ? taken(await answered) : taken(answered));
    // The row of METHODS says what its result is.
    return METHODS[method].result(result) as Result<M>;
  }

  #items(name: 'lease' | 'recall'): LeaseItem[] {
    const items: LeaseItem[] = [];
    for (let at = 0; at < this.told.length;) {
      const told = this.told[at];
      if (told?.[0] !== name) {
        at += 1;
        continue;
      }
      items.push(...(told[1] as [LeaseItem[]])[0]);
      this.told.splice(at, 1);
    }
    return items;
  }
}

function taken(answer: unknown): unknown {
  if (!(answer instanceof LentData)) return answer;
  const bytes = Buffer.from(answer.lent.bytes);
  answer.lent.release();
  return bytes;
}

/** Whether a promise is not settled when all has run that can. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  promise.then(settle, settle);
  await new Promise((resolve) => setImmediate(resolve));
  return !settled;
}

/** The kind of what a call throws or rejects with; fails where it does not. */
export async function kindOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return Failure.from(error).kind;
  }
  return 'no failure';
}

/**
 * A test with an open home, whose charge must equal a count of the tree at its end. A busy machine does not make it take turns.
 */
export function homeTest(
  name: string,
  limits: Limits,
  body: (t: Test, home: UserHome, place: Place) => Promise<void> | void,
): void {
  void t.test(name, async (t) => {
    const place = new Place(t, limits);
    const home = await place.open({ sliceMs: Infinity });
    await body(t, home, place);
    const { ledger, tree, trash } = await home.check(false);
    t.strictSame([ledger, trash.ledger], [tree, trash.tree], 'the charge is what the tree holds');
  });
}
