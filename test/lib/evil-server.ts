/*
 * A server that speaks the protocol and lies: it logs everybody in and answers as an honest server with two files would,
 * but where a test has other answers for it.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { writeFileSync } from 'node:fs';
import type { Test } from 'tap';
import type { Channel } from '../../protocol/transport/channel.js';
import { encodeNotification, encodeResponse, type RequestMessage } from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import { temporaryDirectory } from './directory.js';
import { scriptedServer, WIRE_ATTRIBUTES, type Script } from './loopback.js';
import { programs, runProgram } from './programs.js';
import type { RunOptions, RunResult } from './run.js';
import { Service } from './service.js';

export const FILE = 0o100644;
export const DIRECTORY = 0o40755;
export const SYMLINK = 0o120777;
export const CONTENT = Buffer.from('what the honest server has\n');

/** The root of the home, as the login tells it. */
export const ROOT: readonly unknown[] = WIRE_ATTRIBUTES;

/** Attributes as they travel: as wrong as the arguments. */
export function attributesOf(
  mode: number,
  ino: number = 10 + (mode >> 12),
  size: unknown = CONTENT.length,
): unknown[] {
  return [ino, 1, mode, 1, size, 8, 0, 1, 2, 1_600_000_000, 4, 5, 6];
}

/** One answer: a result (also one of no right shape), a Failure, or what is to be done instead. */
export type Lie = (request: Question, channel: Channel) => unknown;
/** Returned by a lie that has answered by itself, or does not answer. */
export const SILENCE = Symbol('silence');

export interface Question {
  readonly id: number;
  readonly params: readonly unknown[];
}

/** It leases nothing, and takes nothing of a log. */
const HONEST: Readonly<Record<string, Lie>> = {
  ping: () => null,
  logout: () => null,
  lookup: ({ params }) => found(joined(pathOf(params[0]), String(params[1]))),
  getattr: ({ params }) => ofPath(pathOf(params[0])),
  readlink: () => Buffer.from('plain'),
  list: () => listing(ROOT, [[Buffer.from('plain'), attributesOf(FILE), null]]),
  listNext: () => [[], null],
  read: ({ params }) => pieceOf(params),
  fetch: ({ params }) => (params[0] as unknown[]).map(() => null),
  hold: ({ params }) => ofPath(pathOf(params[0])),
  statfs: () => [4096, 1000, 10, 1000, 0, 1, 1000, 0, null, 0, 0],
  apply: ({ params }) => [Number(params[0]) - 1, 0, 0, 0, []],
  change: () => [attributesOf(FILE, 77), ROOT],
  sync: ({ params }) => params[0],
  grant: () => [0, 0, [], []],
  returned: () => null,
  close: () => null,
  uploadBegin: () => [1, 0, false],
  uploadWrite: () => null,
  uploadFinish: () => attributesOf(FILE),
  download: () => [1, attributesOf(FILE)],
  downloadRead: ({ params }) => pieceOf(params),
  digest: () => createHash('md5').update(CONTENT).digest(),
};

/** The answer of `list`: one whole listing. */
export function listing(
  directory: readonly unknown[],
  entries: readonly unknown[],
  cursor: unknown = null,
): unknown {
  return [[directory, entries, cursor]];
}

/** The path of a reference: the honest server's ids are those of its attributes. */
export function pathOf(reference: unknown): string {
  if (!Array.isArray(reference)) return String(reference);
  const [ino, , hint] = reference as unknown[];
  if (hint !== undefined && hint !== null) return String(hint);
  return ['', 'plain', 'sub'].find((path) => inoOf(ofPath(path)) === ino) ?? 'gone';
}

function inoOf(attributes: unknown): unknown {
  return (attributes as readonly unknown[])[0];
}

function pieceOf([, offset, length]: readonly unknown[]): Buffer {
  return CONTENT.subarray(Number(offset), Number(offset) + Number(length));
}

/** The answer of `lookup`. */
function found(path: string): unknown {
  const attributes = ofPath(path);
  return attributes instanceof Failure ? attributes : [attributes, null];
}

function joined(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

function ofPath(path: string): unknown {
  if (path === '') return ROOT;
  if (path === 'plain') return attributesOf(FILE);
  if (path === 'sub') return attributesOf(DIRECTORY, 20);
  return new Failure('ENOENT', 'no such file or directory');
}

export class EvilServer {
  readonly port: number;
  /** XDG_CONFIG_HOME and the like of its clients; an own one for each server. */
  readonly env: NodeJS.ProcessEnv;
  readonly directory: string;
  readonly #t: Test;
  readonly #password: string;

  static async start(t: Test, lies: Readonly<Record<string, Lie>>, script: Script = {}): Promise<EvilServer> {
    const { port } = await scriptedServer(t, {
      onMessage: (message, { channel }) => {
        if (message.kind === 'request') answer(message, channel, lies);
      },
      ...script,
    });
    return new EvilServer(t, port);
  }

  private constructor(t: Test, port: number) {
    this.#t = t;
    this.port = port;
    this.directory = temporaryDirectory(t);
    this.env = {
      ...process.env,
      XDG_CONFIG_HOME: path.join(this.directory, 'config'),
      XDG_STATE_HOME: path.join(this.directory, 'state'),
      XDG_RUNTIME_DIR: '/dev/null',
    };
    this.#password = path.join(this.directory, 'password');
    writeFileSync(this.#password, 'secret\n', { mode: 0o600 });
  }

  get login(): string[] {
    return ['-p', String(this.port), '--password-file', this.#password, '--accept-new'];
  }

  /** `alice@127.0.0.1:PATH` */
  at(remotePath = ''): string {
    return `alice@127.0.0.1:${remotePath}`;
  }

  /** Runs ftpctl against it. `command` comes with its options, `args` behind those of the login. */
  ftpctl(command: readonly string[], args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return runProgram('ftpctl', [...command, ...this.login, ...args], {
      cwd: this.directory,
      env: this.env,
      ...options,
    });
  }

  /** ftpctl as a process that does not end by itself. */
  service(command: readonly string[], args: readonly string[]): Service {
    return new Service(this.#t, process.execPath, [programs.ftpctl, ...command, ...this.login, ...args], {
      cwd: this.directory,
      env: this.env,
    });
  }
}

function answer(request: RequestMessage, channel: Channel, lies: Readonly<Record<string, Lie>>): void {
  const { id, method } = request;
  const params = Array.isArray(request.params) ? (request.params as unknown[]) : [];
  const lie = lies[method] ?? HONEST[method];
  const result = lie === undefined ? new Failure('ENOSYS', 'no such method') : lie({ id, params }, channel);
  if (result === SILENCE) return;
  if (result instanceof Failure) channel.send(encodeResponse(id, result, null));
  else channel.send(encodeResponse(id, undefined, result));
}

/** A notification of any name and parameters. */
export function notify(channel: Channel, method: string, params: readonly unknown[]): void {
  // The encoder knows the names of the protocol; what is sent is what the caller wants.
  channel.send(encodeNotification(method as 'cancel', params));
}
