/*
 * A real home in a temporary directory with a real ledger, and clients that call it as a session does, but without a
 * connection. After each homeTest the charge must be what the tree holds.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { userName, type RemotePath } from '../../../protocol/ids.js';
import { MAX_DATA } from '../../../protocol/limits.js';
import { METHODS, type Change } from '../../../protocol/methods.js';
import { openState, type State } from '../../../state/store.js';
import { Call } from '../../../daemon/home/call.js';
import type { ClientSession, HomeClient } from '../../../daemon/home/clients.js';
import { HANDLERS, LentData, type HomeMethod } from '../../../daemon/home/dispatch.js';
import { UserHome } from '../../../daemon/home/user-home.js';
import type { Log } from '../../../daemon/log.js';
import { temporaryDirectory } from '../../lib/directory.js';

// The daemon does so, too: modes are the client's.
process.umask(0);

export interface Limits {
  readonly bytes?: number;
  readonly files?: number;
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
      createdAt: 0,
      disabled: false,
    });
    t.teardown(() => this.state.close());
  }

  readonly user;

  get account() {
    return { name: this.user, quotaBytes: this.#limits.bytes ?? 0, maxFiles: this.#limits.files ?? 0 };
  }

  async open(onIdle?: () => void): Promise<UserHome> {
    const home = await UserHome.open({
      account: this.account,
      directory: this.directory,
      ledger: this.state.ledger,
      uploads: this.state.uploads,
      digests: this.state.digests,
      log: this.log(),
      transferLog: this.log(),
      ...(onIdle === undefined ? {} : { onIdle }),
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

/** A client of a home, and what it was told. */
export class TestClient implements ClientSession {
  readonly wantsNotifications: boolean;
  readonly id: Buffer;
  readonly home: UserHome;
  readonly client: HomeClient;
  readonly resumed: boolean;
  readonly told: Change[] = [];
  superseded = false;

  constructor(home: UserHome, options: { wantsNotifications?: boolean; id?: Buffer; lowest?: number } = {}) {
    this.home = home;
    this.wantsNotifications = options.wantsNotifications ?? false;
    this.id = options.id ?? Buffer.alloc(16);
    if (options.id === undefined) this.id.writeUInt32BE(++lastClient);
    ({ client: this.client, resumed: this.resumed } = home.attach(this.id, this, options.lowest ?? 0));
    this.client.catchUp();
  }

  notify(changes: readonly Change[]): void {
    this.told.push(...changes);
  }

  supersede(): void {
    this.superseded = true;
  }

  leave(): void {
    this.home.detach(this.id, this);
  }

  /** Calls a method with parameters as they travel; texts are paths and names. File data comes back as a Buffer. */
  call(method: HomeMethod, ...params: unknown[]): unknown {
    return this.callAs(new Call(), method, ...params);
  }

  callAs(call: Call, method: HomeMethod, ...params: unknown[]): unknown {
    const wire = params.map((param) => (typeof param === 'string' ? Buffer.from(param) : param));
    const answer = HANDLERS[method](this.home, this.client, METHODS[method].params(wire) as never, call);
    return answer instanceof Promise ? answer.then(taken) : taken(answer);
  }

  /** Opens or makes a file; its handle. */
  open(path: string, flags: number, create = true): number {
    const [handle] = (create ? this.call('create', path, flags, 0o644) : this.call('open', path, flags)) as [
      number,
    ];
    return handle;
  }

  /** Makes a file with this content. */
  put(path: string, content: Buffer | string): void {
    const handle = this.open(path, 2 | 8);
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length; at += MAX_DATA) {
      this.call('write', handle, at, bytes.subarray(at, at + MAX_DATA));
    }
    this.call('close', handle);
  }

  /** The size in attributes of a path. */
  size(path: string): number {
    return (this.call('getattr', path) as number[])[4] ?? Number.NaN;
  }
}

function taken(answer: unknown): unknown {
  if (!(answer instanceof LentData)) return answer;
  const bytes = Buffer.from(answer.lent.bytes);
  answer.lent.release();
  return bytes;
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

export function remote(path: string): RemotePath {
  return Buffer.from(path) as unknown as RemotePath;
}

/** A test with an open home, whose charge must equal a count of the tree at its end. */
export function homeTest(
  name: string,
  limits: Limits,
  body: (t: Test, home: UserHome, place: Place) => Promise<void> | void,
): void {
  void t.test(name, async (t) => {
    const place = new Place(t, limits);
    const home = await place.open();
    await body(t, home, place);
    const { ledger, tree } = await home.check(false);
    t.strictSame(ledger, tree, 'the charge is what the tree holds');
  });
}
