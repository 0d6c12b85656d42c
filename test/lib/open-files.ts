/*
 * A program of a user that keeps a file open, reads and writes it by its descriptor and by a mapping, as it is told to: in a
 * process of its own, for a mount that hangs takes its callers with it. This file is both ends.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import type { Scope } from './scope.js';

/** What can be asked of the program. */
interface Orders {
  /** Opens a file of the mount; the orders after it are about that. */
  open(path: string, flags: number | string): void;
  /** What pread(2) gives of the first 64 KiB. */
  read(): string;
  /** Writes at a place, or (null) where the descriptor writes. */
  write(text: string, position: number | null): number;
  /** Maps the first bytes, shared or private. */
  map(length: number, private_?: boolean): void;
  /** What the mapping holds. */
  mapped(): string;
  /** Writes into the mapping. */
  store(text: string): void;
  msync(): void;
  /** Fills the first page with a text, past the page cache and without waiting in write(2): io_submit(2). */
  writeDirectly(text: string): void;
}

type Order = keyof Orders;
type Said = { readonly result: unknown } | { readonly error: string };

const ENTRY = fileURLToPath(import.meta.url);

export class OpenFile {
  readonly #child: ChildProcess;

  /** Runs in the directory. */
  constructor(scope: Scope, cwd: string) {
    this.#child = fork(ENTRY, ['serve'], {
      execPath: 'env',
      execArgv: ['-C', cwd, '-u', 'NODE_OPTIONS', process.execPath],
    });
    const exited = once(this.#child, 'exit');
    scope.teardown(async () => {
      this.#child.kill('SIGKILL');
      await exited;
    });
  }

  /** Ends the program. */
  async close(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  /** One order at a time. Rejects as the program does. */
  async do<Name extends Order>(
    order: Name,
    ...args: Parameters<Orders[Name]>
  ): Promise<ReturnType<Orders[Name]>> {
    this.#child.send([order, ...args]);
    const [said] = (await once(this.#child, 'message')) as [Said];
    if ('error' in said) throw new Error(said.error);
    return said.result as ReturnType<Orders[Name]>;
  }
}

function serve(): Orders {
  const libc = koffi.load(null);
  const map = libc.func('void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)');
  const sync = libc.func('int msync(void *addr, size_t length, int flags)');
  const toMemory = libc.func('void *memcpy(void *to, const void *from, size_t n)');
  const PROT_READ_WRITE = 3;
  const MAP_SHARED = 1;
  const MAP_PRIVATE = 2;
  const MS_SYNC = 4;
  let fd = -1;
  let path = '';
  let address: unknown;
  let mappedBytes = 0;
  return {
    open(name, flags) {
      path = name;
      fd = openSync(path, flags);
    },
    read() {
      const buffer = Buffer.alloc(64 * 1024);
      return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
    },
    write: (text, position) => writeSync(fd, Buffer.from(text), 0, text.length, position),
    map(length, private_ = false) {
      mappedBytes = length;
      address = map(null, length, PROT_READ_WRITE, private_ ? MAP_PRIVATE : MAP_SHARED, fd, 0);
      if (koffi.address(address) === 0xffff_ffff_ffff_ffffn) throw new Error('mmap failed');
    },
    mapped: () => String(koffi.decode(address, koffi.array('char', mappedBytes, 'String'))),
    store(text) {
      toMemory(address, Buffer.from(text), text.length);
    },
    msync() {
      if (sync(address, mappedBytes, MS_SYNC) !== 0) throw new Error('msync failed');
    },
    writeDirectly(text) {
      const direct = openSync(path, constants.O_WRONLY | constants.O_DIRECT);
      asynchronousWrite(libc, direct, Buffer.alloc(PAGE_BYTES, text));
      closeSync(direct);
    },
  };
}

const PAGE_BYTES = 4096;
/** Numbers of system calls, and what struct iocb says. */
const AIO =
  process.arch === 'arm64'
    ? { setup: 0, submit: 2, getevents: 4 }
    : { setup: 206, submit: 209, getevents: 208 };
const IOCB_CMD_PWRITE = 1;

/** Returns when the write has ended. */
function asynchronousWrite(libc: ReturnType<typeof koffi.load>, fd: number, page: Buffer): void {
  const call = libc.func('long syscall(long n, size_t a, size_t b, size_t c, void *d, size_t e)');
  const aligned: unknown = libc.func('void *aligned_alloc(size_t a, size_t size)')(PAGE_BYTES, PAGE_BYTES);
  libc.func('void *memcpy(void *to, const void *from, size_t n)')(aligned, page, PAGE_BYTES);
  const context = Buffer.alloc(8);
  call(AIO.setup, 1, koffi.address(context), 0, null, 0);
  const iocb = Buffer.alloc(64);
  iocb.writeUInt16LE(IOCB_CMD_PWRITE, 16);
  iocb.writeUInt32LE(fd, 20);
  iocb.writeBigUInt64LE(koffi.address(aligned), 24);
  iocb.writeBigUInt64LE(BigInt(PAGE_BYTES), 32);
  const pointer = Buffer.alloc(8);
  pointer.writeBigUInt64LE(koffi.address(iocb));
  const id = context.readBigUInt64LE();
  if (call(AIO.submit, id, 1, koffi.address(pointer), null, 0) !== 1) throw new Error('io_submit failed');
  const event = Buffer.alloc(32);
  call(AIO.getevents, id, 1, 1, event, 0);
  if (event.readBigInt64LE(16) !== BigInt(PAGE_BYTES)) throw new Error('the write failed');
}

if (process.argv[1] === ENTRY && process.argv[2] === 'serve') {
  const orders = serve() as unknown as Record<string, (...args: unknown[]) => unknown>;
  process.on('message', ([order, ...args]: [Order, ...unknown[]]) => {
    try {
      process.send?.({ result: orders[order]?.(...args) } satisfies Said);
    } catch (error) {
      process.send?.({ error: String(error) } satisfies Said);
    }
  });
}
