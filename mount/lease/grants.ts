/**
 * What the server gave ahead, so that a change need not ask: room in the quota (bytes and files), and inode numbers.
 *
 * Room is counted alike on both sides. The server tells with each answer what is left of it after the operations that it
 * has carried out; what the log's other operations charge comes off here.
 *
 * Invariants:
 * - One request for more is under way at a time; what is wanted meanwhile is gathered for the next one.
 * - Who waits is answered: with what there is where the server has no more, and over a lost connection after it.
 * - Each demand of the server for what is not used is answered, and never with what somebody here was just given.
 */
import { Failure } from '../../protocol/failure.js';
import type { Result } from '../../protocol/methods.js';
import type { FileId } from '../../protocol/references.js';
import { bootTime } from '../remote/boot-time.js';
import { GrantedIds } from './granted-ids.js';
import { RoomStep } from './room-step.js';

const MiB = 1024 * 1024;
const FIRST_BYTES = 4 * MiB;
const LAST_BYTES = 256 * MiB;
const FIRST_FILES = 256;
const LAST_FILES = 65_536;
/** A mount that does nothing holds no more than this. */
const KEPT_BYTES = 2 * FIRST_BYTES;
const KEPT_FILES = 2 * FIRST_FILES;

/** Bytes, and inodes, of a quota. Negative: overdrawn. */
export interface Room {
  readonly bytes: number;
  readonly files: number;
}

export interface GrantsOptions {
  /** Sends a `grant` once; fails with ECONNRESET where the connection is lost, or was. */
  request(
    params: readonly unknown[],
    done: (failure: Failure | undefined, result: Result<'grant'> | undefined) => void,
  ): void;
  /** What the operations of the log charge that are not applied. */
  charged(): Room;
  /** Whether the log has operations that are not applied. */
  busy(): boolean;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** Room that is wanted more than is available, and who waits for it. */
interface Demand {
  bytes: number;
  files: number;
  readonly waiting: { resolve(available: Room): void; reject(failure: Failure): void }[];
}

export class Grants {
  readonly #options: GrantsOptions;
  readonly #now: () => number;
  /** What the server said. */
  #left: Room = { bytes: 0, files: 0 };
  /** What is being given back, and still in `left`. */
  #returning: Room = { bytes: 0, files: 0 };
  readonly #bytes = new RoomStep(FIRST_BYTES, LAST_BYTES);
  readonly #files = new RoomStep(FIRST_FILES, LAST_FILES);
  readonly #regular = new GrantedIds();
  readonly #directories = new GrantedIds();
  #demand: Demand = { bytes: 0, files: 0, waiting: [] };
  #asking = false;
  /** Ids that have arrived from this server: what it has given beyond was lost with a connection. */
  #received = 0;
  /** Where the answer to others is who need room; again: they have asked since it was sent. */
  #givingBack: 'soon' | 'sent' | 'again' | undefined;
  /** Somebody waits for the room that was asked for. */
  #roomAsked = false;
  #connected = true;
  /** It was to be asked for more while there was no connection. */
  #refillLater = false;

  constructor(options: GrantsOptions) {
    this.#options = options;
    this.#now = options.now ?? bootTime;
  }

  // Inode numbers

  /** The id of a regular file that is to be made; undefined: whenFile() tells when to ask again. */
  takeFile(): FileId | undefined {
    return this.#take(this.#regular);
  }

  takeDirectory(): FileId | undefined {
    return this.#take(this.#directories);
  }

  /** An id that was taken, and of which nothing was sent. */
  returnFile(id: FileId): void {
    this.#regular.putBack(id);
  }

  /** Resolves when there may be an id. ENOSPC: the server has none, and a file is to be made without. */
  whenFile(): Promise<void> {
    return this.#when(this.#regular);
  }

  whenDirectory(): Promise<void> {
    return this.#when(this.#directories);
  }

  #take(ids: GrantedIds): FileId | undefined {
    const id = ids.take();
    this.refill();
    return id;
  }

  #when(ids: GrantedIds): Promise<void> {
    const waiting = ids.wait();
    this.refill();
    return waiting;
  }

  // Room

  /** What may be used without asking, where the log charges this much. */
  available(charged: Room = this.#options.charged()): Room {
    return {
      bytes: this.#left.bytes - this.#returning.bytes - charged.bytes,
      files: this.#left.files - this.#returning.files - charged.files,
    };
  }

  /** Asks for so much more. Resolves with what is available then, which may be less. */
  ensure(bytes: number, files: number): Promise<Room> {
    if (bytes <= 0 && files <= 0) return Promise.resolve(this.available());
    const demand = this.#demand;
    demand.bytes += Math.max(0, bytes);
    demand.files += Math.max(0, files);
    const answered = new Promise<Room>((resolve, reject) => {
      demand.waiting.push({ resolve, reject });
    });
    this.refill();
    return answered;
  }

  /** What the server says is left, after what it has carried out. */
  left(room: Room): void {
    this.#left = room;
    this.#regular.used();
    this.#directories.used();
    // In the next turn: who waited for room and got it in this one has used it by then.
    if (!this.#options.busy()) setImmediate(() => this.#trim());
    this.refill();
  }

  /**
   * Others need room: gives back what is not used; where all is used, that is said by zeros. In the next turn: who waited for
   * room and got it in this one has used it by then. However often it is asked for, one answer is on its way at a time.
   */
  giveBack(): void {
    if (this.#givingBack !== undefined) {
      if (this.#givingBack === 'sent') this.#givingBack = 'again';
      return;
    }
    this.#givingBack = 'soon';
    setImmediate(() => {
      this.#givingBack = 'sent';
      this.#bytes.shrink();
      this.#files.shrink();
      const { bytes, files } = this.available();
      this.#return({ bytes: Math.max(0, bytes), files: Math.max(0, files) }, () => {
        const again = this.#givingBack === 'again';
        this.#givingBack = undefined;
        if (again) this.giveBack();
      });
    });
  }

  /** Nothing is under way: what was freed here, or asked for ahead of a large copy, is for all again. */
  #trim(): void {
    if (this.#options.busy() || this.#roomAsked || !this.#connected) return;
    const { bytes, files } = this.available();
    const tooMuch = { bytes: bytes > KEPT_BYTES, files: files > KEPT_FILES };
    if (tooMuch.bytes) this.#bytes.restart();
    if (tooMuch.files) this.#files.restart();
    if (!tooMuch.bytes && !tooMuch.files) return;
    this.#return({
      bytes: tooMuch.bytes ? bytes - FIRST_BYTES : 0,
      files: tooMuch.files ? files - FIRST_FILES : 0,
    });
  }

  #return({ bytes, files }: Room, answered: () => void = () => undefined): void {
    this.#returning = { bytes: this.#returning.bytes + bytes, files: this.#returning.files + files };
    // Not -0, which would travel as a float.
    this.#options.request([0 - bytes, 0 - files, 0, 0], () => {
      this.#returning = { bytes: this.#returning.bytes - bytes, files: this.#returning.files - files };
      // Also where the answer was lost: the next one tells what is true.
      this.#left = { bytes: this.#left.bytes - bytes, files: this.#left.files - files };
      answered();
    });
  }

  // The connection

  /** Nothing is asked for, nor given back unasked, until connected(): a server that was restarted takes that for the end of what is said again. */
  disconnected(): void {
    this.#connected = false;
  }

  /** There is a connection again, and what goes before anything else was sent. */
  connected(): void {
    this.#connected = true;
    if (this.#awaited || this.#refillLater) this.refill();
  }

  /** The server does not know this client any more, and has nothing for it. */
  lost(): void {
    this.#left = { bytes: 0, files: 0 };
    this.#received = 0;
    this.#regular.forget();
    this.#directories.forget();
  }

  /** Asks for what is low. Also worth a call when changes are about to come. */
  refill(): void {
    this.#refillLater = !this.#connected;
    if (this.#asking || !this.#connected) return;
    const now = this.#now();
    const demand = this.#demand;
    const available = this.available();
    const bytes = this.#bytes.toAsk(available.bytes, demand.bytes);
    const files = this.#files.toAsk(available.files, demand.files);
    const regular = this.#regular.ask(now);
    const directories = this.#directories.ask(now);
    if (bytes + files + regular + directories === 0) return;
    this.#demand = { bytes: 0, files: 0, waiting: [] };
    this.#asking = true;
    this.#roomAsked = demand.waiting.length > 0;
    // What the log has charged and is not covered is needed as well: it was promised.
    const needed = [
      demand.bytes + Math.max(0, -available.bytes),
      demand.files + Math.max(0, -available.files),
    ];
    const params = [bytes, files, regular, directories, ...needed, this.#received];
    this.#options.request(params, (failure, result) => {
      this.#asking = false;
      this.#roomAsked = false;
      if (result === undefined) return this.#refused(demand, failure ?? new Failure('EIO'));
      const [givenBytes, givenFiles, regularIds, directoryIds] = result;
      this.#left = { bytes: this.#left.bytes + givenBytes, files: this.#left.files + givenFiles };
      this.#bytes.given(bytes, givenBytes);
      this.#files.given(files, givenFiles);
      this.#received += regularIds.length + directoryIds.length;
      this.#addIds(this.#regular, regular, regularIds);
      this.#addIds(this.#directories, directories, directoryIds);
      for (const { resolve } of demand.waiting) resolve(this.available());
      this.refill();
    });
  }

  #addIds(ids: GrantedIds, asked: number, given: readonly FileId[]): void {
    if (asked === 0) return;
    ids.add(given, this.#now());
    // While operations that use ids are on their way, the server may have more after them: left() asks again.
    if (given.length === 0 && !this.#options.busy()) {
      ids.fail(new Failure('ENOSPC', 'the server has no inode numbers to give'));
    }
  }

  #refused(demand: Demand, failure: Failure): void {
    if (failure.kind === 'ECONNRESET') {
      // What was wanted still is.
      this.#connected = false;
      this.#demand.bytes += demand.bytes;
      this.#demand.files += demand.files;
      this.#demand.waiting.push(...demand.waiting);
      return;
    }
    for (const { reject } of demand.waiting) reject(failure);
    for (const ids of [this.#regular, this.#directories]) {
      ids.add([], this.#now());
      ids.fail(failure);
    }
  }

  get #awaited(): boolean {
    return this.#demand.waiting.length > 0 || this.#regular.awaited || this.#directories.awaited;
  }
}
