/*
 * Random appends, sends, losses, restarts and power cuts, against a server that may fail and forget. Whatever happens, the
 * server has a prefix of what was done, nothing twice, and in the end all of it. SEED=n repeats a run.
 *
 * All that is done carries a serial number: directories in their name, writes in their bytes, eight for each.
 */
import t from 'tap';
import { MKDIR, WRITE, type Operation } from '../../../protocol/operations.js';
import { remotePath } from '../../../protocol/ids.js';
import type { Entry } from '../../../mount/log/entry.js';
import { Log } from '../../../mount/log/log.js';
import { Sender } from '../../../mount/log/sender.js';
import { randomFrom, seedOfRun, type Random } from '../../lib/random.js';
import { FILE, mkdir, NOTHING, serialOf, TIME } from './operations.js';
import { ScriptedServer } from './scripted-server.js';

const RUNS = 100;
const STEPS = 150;
const SERIAL_BYTES = 8;
const HINT = remotePath(Buffer.from('hint'));

class Run {
  readonly server = new ScriptedServer();
  readonly random: Random;
  readonly log: Log;
  readonly sender: Sender;
  /** Of all that was done and not cancelled, in order. */
  done: number[] = [];
  readonly failed = new Set<number>();
  connected = true;
  #serial = 0;
  #offset = 0;
  /** Directories that the server does not find without a hint. */
  #forgetful = false;
  #latest: Entry[] = [];

  constructor(seed: number) {
    this.random = randomFrom(seed);
    this.log = new Log({
      limitBytes: 20_000,
      now: () => 0,
      failed: ({ operation }) => this.failed.add(serialOf(operation)),
      told: () => undefined,
    });
    this.sender = new Sender({
      log: this.log,
      request: this.server.request,
      granted: () => undefined,
      gather: setImmediate,
      hint: (operation) =>
        operation.kind === MKDIR && operation.directory.ino !== null
          ? { ...operation, directory: { ...operation.directory, path: HINT } }
          : operation,
    });
    this.server.judge = (op) => {
      if (op.kind !== MKDIR) return 'done';
      if (this.#forgetful && op.directory.path === null) return 'stops';
      if (neverTaken(serialOf(op))) return 'stops';
      return failing(serialOf(op)) ? 'fails' : 'done';
    };
  }

  step(): void {
    const { server, random } = this;
    switch (random(16)) {
      case 0:
      case 1:
      case 2:
        return this.#mkdirs(1 + random(4));
      case 3:
      case 4:
        return this.#writes(1 + random(4));
      case 5:
        return this.#write(3_000 + random(6_000));
      case 6:
        return this.#cancel();
      case 7:
      case 8:
        return server.receive(random(3));
      case 9:
      case 10:
      case 11:
        return server.answer(random(3));
      case 12:
        return void this.sender.sync().catch(() => undefined);
      case 13:
        return void (this.log.last !== undefined && this.log.whenSent(this.log.last));
      case 14:
        this.#forgetful = !this.#forgetful;
        return;
      case 15:
        return this.#connection();
    }
  }

  #mkdirs(count: number): void {
    for (let i = 0; i < count; i++) {
      const serial = ++this.#serial;
      this.#latest.push(this.log.append(mkdir(serial), NOTHING));
      this.done.push(serial);
    }
    this.sender.kick();
  }

  #writes(count: number): void {
    for (let i = 0; i < count; i++) this.#write(1);
  }

  /** Writes one serial number, so many times. Writes do not fail. */
  #write(times: number): void {
    do this.#serial += 1;
    while (failing(this.#serial) || neverTaken(this.#serial));
    const serial = this.#serial;
    const data = Buffer.alloc(times * SERIAL_BYTES);
    for (let i = 0; i < times; i++) data.writeDoubleLE(serial, i * SERIAL_BYTES);
    this.log.write(FILE, this.#offset, data, TIME, NOTHING);
    this.#offset += data.length;
    this.done.push(serial);
    this.#latest = [];
    this.sender.kick();
  }

  #cancel(): void {
    const cancelled = this.#latest.filter(() => this.random(2) === 0);
    if (!this.log.cancel(cancelled)) return;
    const serials = new Set(cancelled.map(({ operation }) => serialOf(operation)));
    this.done = this.done.filter((serial) => !serials.has(serial));
    this.#latest = [];
  }

  #connection(): void {
    if (!this.connected) return this.reconnect();
    this.connected = false;
    this.server.lose(this.random(this.server.requests + 1));
    this.sender.lost();
    if (this.random(3) === 0) this.server.losePower();
  }

  reconnect(): void {
    if (this.connected) return;
    this.connected = true;
    void this.sender.connected(this.server.applied);
  }

  /** What the server has done, in order. */
  get carriedOut(): number[] {
    return this.server.carriedOut.flatMap((op) => (op === undefined ? [] : serialsOf(op)));
  }

  /** What it has to have in the end. */
  get expected(): number[] {
    return this.done.filter((serial) => !failing(serial) && !neverTaken(serial));
  }
}

function failing(serial: number): boolean {
  return serial % 17 === 0;
}

function neverTaken(serial: number): boolean {
  return serial % 41 === 0;
}

const serialsOfWrites = new WeakMap<Buffer, number[]>();

/** Each once, though a write may have it many times. */
function serialsOf(op: Operation): number[] {
  if (op.kind !== WRITE || op.data === null) return [serialOf(op)];
  const known = serialsOfWrites.get(op.data);
  if (known !== undefined) return known;
  const serials: number[] = [];
  for (let at = 0; at < op.data.length; at += SERIAL_BYTES) {
    const serial = op.data.readDoubleLE(at);
    if (serials.at(-1) !== serial) serials.push(serial);
  }
  serialsOfWrites.set(op.data, serials);
  return serials;
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** What is wrong with a run; undefined: nothing. */
async function wrongWith(seed: number): Promise<string | undefined> {
  const run = new Run(seed);
  for (let step = 0; step < STEPS; step++) {
    run.step();
    if (run.random(3) === 0) await turn();
    const { carriedOut, expected } = run;
    const prefix = expected.slice(0, carriedOut.length);
    if (carriedOut.join() !== prefix.join()) return `step ${step}: ${carriedOut.join()} is no prefix`;
  }
  run.reconnect();
  while (run.log.undurable.operations > 0) {
    run.sender.kick();
    void run.sender.sync();
    await turn();
    run.server.settle();
  }
  if (run.carriedOut.join() !== run.expected.join()) return `in the end: ${run.carriedOut.join()}`;
  if (run.server.durable !== run.server.applied) return 'not all is durable';
  const { unsent, unapplied, undurable } = run.log;
  if (unsent.bytes + unapplied.bytes + undurable.bytes !== 0) return 'bytes are left in the accounts';
  const refused = run.done.filter((serial) => neverTaken(serial) && !run.failed.has(serial));
  return refused.length > 0 ? `not told that these failed: ${refused.join()}` : undefined;
}

t.test('what the server has is always a prefix of what was done, and all of it in the end', async (t) => {
  const fixed = process.env['SEED'];
  const seeds = fixed === undefined ? RUNS : 1;
  const start = seedOfRun();
  t.comment(`SEED=${start} and the ${seeds - 1} after it`);
  const wrong: string[] = [];
  for (let seed = start; seed < start + seeds; seed++) {
    const what = await wrongWith(seed);
    if (what !== undefined) wrong.push(`SEED=${seed}: ${what}`);
  }
  t.same(wrong, []);
});
