/*
 * Random locks, waits and ends of owners, against a model that keeps each byte of each file by itself. SEED=n repeats a run.
 */
import t from 'tap';
import { Failure } from '../../protocol/failure.js';
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  LOCK_FLOCK,
  LOCK_POSIX,
  type Lock,
  type LockKind,
  type LockType,
} from '../../protocol/file-locks.js';
import { LockTable, type LockRequest, type LockWait } from '../../locks/lock-table.js';
import { randomFrom, seedOfRun, type Random } from '../lib/random.js';

const RUNS = 100;
const STEPS = 200;
const BYTES = 12;
const FILES = ['a', 'b', 'c'];
const OWNERS = ['1', '2', '3', '4'];
const TYPES: readonly LockType[] = [F_RDLCK, F_WRLCK, F_UNLCK];

type Request = LockRequest<string>;

interface ModelWait extends Request {
  readonly file: string;
  readonly number: number;
}

/** Who has what of each byte, and who waits. */
class Model {
  /** By file, kind, byte and owner. */
  readonly bytes = new Map<string, LockType>();
  waits: ModelWait[] = [];
  readonly ended: string[] = [];

  take(file: string, request: Request): boolean {
    if (request.kind === LOCK_FLOCK) {
      if (this.bytes.get(key(file, request.kind, 0, request.owner)) === request.lock.type) return true;
      this.#put(file, request, F_UNLCK);
    }
    const free = this.opponents(file, request).size === 0;
    if (free) this.#put(file, request, request.lock.type);
    this.#retry(file);
    return free;
  }

  opponents(file: string, { owner, kind, lock }: Request): Set<string> {
    const found = new Set<string>();
    if (lock.type === F_UNLCK) return found;
    for (const other of OWNERS) {
      for (let byte = 0; byte < BYTES; byte++) {
        const type = this.bytes.get(key(file, kind, byte, other));
        const isIn = byte >= Number(lock.start) && byte <= Number(lock.end);
        if (other === owner || type === undefined || !isIn) continue;
        if (type === F_WRLCK || lock.type === F_WRLCK) found.add(other);
      }
    }
    return found;
  }

  /** Whether who asks would wait for itself. */
  isCircle(file: string, request: Request): boolean {
    if (request.kind === LOCK_FLOCK) return false;
    const reached = new Set(this.opponents(file, request));
    for (let before = -1; before !== reached.size;) {
      before = reached.size;
      for (const wait of this.waits) {
        if (wait.kind === LOCK_FLOCK || !reached.has(wait.owner)) continue;
        for (const other of this.opponents(wait.file, wait)) reached.add(other);
      }
    }
    return reached.has(request.owner);
  }

  end(file: string, owner: string): void {
    this.waits = this.waits.filter((wait) => wait.file !== file || wait.owner !== owner);
    for (const kind of [LOCK_POSIX, LOCK_FLOCK] as const) {
      for (let byte = 0; byte < BYTES; byte++) this.bytes.delete(key(file, kind, byte, owner));
    }
    this.#retry(file);
  }

  #put(file: string, { owner, kind, lock }: Request, type: LockType): void {
    for (let byte = Number(lock.start); byte <= Number(lock.end); byte++) {
      if (type === F_UNLCK) this.bytes.delete(key(file, kind, byte, owner));
      else this.bytes.set(key(file, kind, byte, owner), type);
    }
  }

  #retry(file: string): void {
    for (let again = true; again;) {
      again = false;
      for (const wait of this.waits.filter((each) => each.file === file)) {
        const free = this.opponents(file, wait).size === 0;
        if (!free && !this.isCircle(file, wait)) continue;
        if (free) this.#put(file, wait, wait.lock.type);
        this.waits = this.waits.filter((each) => each !== wait);
        this.ended.push(`${wait.number} ${free ? 'held' : 'EDEADLK'}`);
        again = true;
      }
    }
  }
}

function key(file: string, kind: LockKind, byte: number, owner: string): string {
  return `${file} ${kind} ${byte} ${owner}`;
}

function randomRequest(random: Random): Request {
  const kind = random(4) === 0 ? LOCK_FLOCK : LOCK_POSIX;
  const from = kind === LOCK_FLOCK ? 0 : random(BYTES);
  const to = kind === LOCK_FLOCK ? BYTES - 1 : from + random(BYTES - from);
  const lock: Lock = { type: pick(random, TYPES), start: BigInt(from), end: BigInt(to), pid: 1 };
  return { owner: pick(random, OWNERS), kind, lock };
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T;
}

function unlessDeadlock<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (Failure.from(error).kind !== 'EDEADLK') throw error;
    return undefined;
  }
}

function bytesOf(table: LockTable<string, string>): Map<string, LockType> {
  const bytes = new Map<string, LockType>();
  for (const file of FILES) {
    for (const { owner, kind, locks } of table.held(file)) {
      for (const { type, start, end } of locks) {
        for (let byte = start; byte <= end; byte++) bytes.set(key(file, kind, Number(byte), owner), type);
      }
    }
  }
  return bytes;
}

/** What is wrong with how the lists are kept. */
function faults(table: LockTable<string, string>): string[] {
  const found: string[] = [];
  for (const file of FILES) {
    for (const { owner, locks } of table.held(file)) {
      if (locks.length === 0) found.push(`${owner} has nothing of ${file}`);
      for (const [at, lock] of locks.entries()) {
        const next = locks[at + 1];
        if (next === undefined) continue;
        if (next.start <= lock.end) found.push(`${owner} has something twice of ${file}`);
        if (next.start === lock.end + 1n && next.type === lock.type) found.push(`${owner}: not merged`);
      }
    }
  }
  return found;
}

t.test('as a model that keeps each byte', async (t) => {
  const seed = seedOfRun();
  t.comment(`SEED=${seed}`);
  for (let run = 0; run < RUNS; run++) {
    const random = randomFrom(seed + run);
    const table = new LockTable<string, string>(() => 'all');
    const model = new Model();
    const ended: string[] = [];
    const waits = new Map<number, LockWait<string, string>>();
    for (let step = 0; step < STEPS; step++) {
      const request = randomRequest(random);
      const file = pick(random, FILES);
      const what = random(10);
      if (what === 0) {
        table.drop(file, (owner) => owner === request.owner);
        model.end(file, request.owner);
      } else if (what === 1 && model.waits.length > 0) {
        const given = pick(random, model.waits);
        table.withdraw(waits.get(given.number) as LockWait<string, string>);
        model.waits = model.waits.filter((wait) => wait !== given);
      } else if (table.take(file, request) !== model.take(file, request)) {
        throw new Error(`${run} ${step}: one has the lock`);
      } else if (model.opponents(file, request).size > 0 && random(2) === 0) {
        const done = (failure: Failure | undefined): void => {
          ended.push(`${step} ${failure?.kind ?? 'held'}`);
        };
        const wait = unlessDeadlock(() => table.wait(file, request, done));
        if ((wait === undefined) !== model.isCircle(file, request)) {
          throw new Error(`${run} ${step}: for one it is a deadlock`);
        }
        if (wait === undefined) continue;
        waits.set(step, wait);
        model.waits.push({ ...request, file, number: step });
      }
      const same = String([...bytesOf(table)].toSorted()) === String([...model.bytes].toSorted());
      if (!same || String(ended) !== String(model.ended) || faults(table).length > 0) {
        t.strictSame(bytesOf(table), model.bytes, `${run} ${step}`);
        t.strictSame(ended, model.ended);
        t.strictSame(faults(table), []);
        return;
      }
    }
    for (const file of FILES) {
      for (const owner of OWNERS) table.drop(file, (each) => each === owner);
      t.equal(table.has(file), false);
    }
  }
});
