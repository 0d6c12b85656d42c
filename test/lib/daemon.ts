/*
 * A real ftpmountd of this build, as a process of its own, with its own state, homes and client configuration in a
 * temporary directory. It listens on a port the kernel picked and keeps that port over a restart.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { writeKeyFile } from '../../protocol/transport/keys.js';
import { clientFiles } from '../../client/files.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import type { AccountKey } from '../../state/accounts.js';
import { parseSize } from '../../state/sizes.js';
import { parseTrashTime } from '../../state/trash-time.js';
import { makeAccounts } from './accounts.js';
import { temporaryDirectory } from './directory.js';
import { programs, runProgram } from './programs.js';
import type { RunOptions, RunResult } from './run.js';
import type { Scope } from './scope.js';
import { Service, type Exit } from './service.js';

export interface DaemonOptions {
  /** More arguments of ftpmountd. */
  readonly args?: readonly string[];
  /** A program, and arguments, that the daemon's command is appended to. */
  readonly within?: readonly string[];
  /** The daemon's own program; default: that of this build. */
  readonly program?: string;
  /** Users to make before it starts: name to quota (and limit of files). The password of NAME is `NAME's password`. */
  readonly users?: Readonly<Record<string, UserLimits>>;
  /** Clients log in by that, which costs more than all else they do; by default they do by a key that all users have. */
  readonly byPassword?: boolean;
  /** Where homes and state go; by default a new temporary directory. */
  readonly directory?: string;
}

export interface UserLimits {
  /** As `ftpctl useradd --quota` takes it. */
  readonly quota: string;
  readonly maxFiles?: number;
  readonly posixOwners?: boolean;
  /** As `ftpctl useradd --trash` takes it. */
  readonly trash?: string;
}

const HOST = '127.0.0.1';

export class Daemon {
  readonly directory: string;
  readonly state: string;
  readonly homes: string;
  /** XDG_CONFIG_HOME for clients; known_hosts is in it after the first --accept-new. */
  readonly clientConfig: string;
  /** XDG_STATE_HOME for clients: journals of transfers, the log of mounts. */
  readonly clientState: string;
  readonly #scope: Scope;
  readonly #args: readonly string[];
  readonly #within: readonly string[];
  readonly #program: string;
  readonly #byPassword: boolean;
  /** The client's, once there is a user who has it. */
  #key: AccountKey | undefined;
  #service: Service | undefined;
  #port = 0;

  constructor(scope: Scope, options: DaemonOptions) {
    this.#scope = scope;
    this.#args = options.args ?? [];
    this.#within = options.within ?? [];
    this.#program = options.program ?? programs.ftpmountd;
    this.#byPassword = options.byPassword ?? false;
    this.directory = options.directory ?? temporaryDirectory(scope);
    this.state = path.join(this.directory, 'state');
    this.homes = path.join(this.directory, 'homes');
    this.clientConfig = path.join(this.directory, 'config');
    this.clientState = path.join(this.directory, 'client-state');
    for (const directory of [this.state, this.homes, this.clientConfig])
      mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  get port(): number {
    return this.#port;
  }

  /** The running process: its pid, its output. */
  get service(): Service {
    if (!this.#service) throw new Error('the daemon has not been started');
    return this.#service;
  }

  /**
   * The environment of a client program: this process's, with configuration of its own. Without a directory for sockets no
   * command leaves its session to a master.
   */
  get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      XDG_CONFIG_HOME: this.clientConfig,
      XDG_STATE_HOME: this.clientState,
      XDG_RUNTIME_DIR: '/dev/null',
      FTPMOUNT_STATE: this.state,
    };
  }

  /** Starts (again, after `stop` or `kill`: on the same port) and waits until it listens. */
  async start(): Promise<void> {
    const listen = `${HOST}:${this.#port}`;
    const args = ['--listen', listen, '--home', this.homes, '--state', this.state, ...this.#args];
    const [command = process.execPath, ...rest] = [...this.#within, process.execPath, this.#program, ...args];
    this.#service = new Service(this.#scope, command, rest, { env: this.env });
    const ready = await this.#service.says(/^listening on .*:(\d+)$/m);
    this.#port = Number(ready[1]);
  }

  /** Stops it by SIGTERM; the answer is how it ended. */
  stop(): Promise<Exit> {
    return this.service.stop();
  }

  /** kill -9. */
  kill(): Promise<void> {
    return this.service.kill();
  }

  /** Runs ftpctl with this daemon's state and client configuration. */
  ftpctl(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return runProgram('ftpctl', args, { ...options, env: options.env ?? this.env });
  }

  /** Makes a user with the password `passwordOf(name)`, whether or not the daemon runs. */
  async addUser(name: string, limits: UserLimits): Promise<void> {
    if (!this.#byPassword) this.#key ??= this.#makeKey();
    const { maxFiles = 0, posixOwners = false, trash = 'off' } = limits;
    const trashMs = parseTrashTime(trash);
    const keys = this.#key === undefined ? [] : [this.#key];
    const quotaBytes = parseSize(limits.quota);
    await makeAccounts(this.state, passwordOf(name), [name], {
      ...{ quotaBytes, maxFiles, posixOwners, trashMs, keys },
    });
  }

  #makeKey(): AccountKey {
    const keyPair = generateKeyPair();
    writeKeyFile(clientFiles(this.env).key, keyPair);
    return { publicKey: Buffer.from(keyPair.publicKey).toString('base64'), comment: 'test' };
  }

  /** What a client is called with to reach this daemon as `user` without a question. */
  login(user: string): string[] {
    const password = this.#key === undefined ? ['--password-file', this.passwordFile(user)] : [];
    return ['-p', String(this.#port), ...password, '--accept-new'];
  }

  /** A private file with the password of `user`. */
  passwordFile(user: string): string {
    const file = path.join(this.clientConfig, `password-of-${user}`);
    writeFileSync(file, `${passwordOf(user)}\n`, { mode: 0o600 });
    return file;
  }

  /** `USER@HOST:PATH` as ftpctl and ftpmount take it. */
  at(user: string, remotePath = ''): string {
    return `${user}@${HOST}:${remotePath}`;
  }

  /** Where the files of `user` are on the server. */
  home(user: string): string {
    return path.join(this.homes, user);
  }
}

/** The password that `addUser` gives. */
export function passwordOf(user: string): string {
  return `${user}'s password`;
}

/** Makes the users, starts the daemon and waits until it listens; it ends with the scope. */
export async function startDaemon(scope: Scope, options: DaemonOptions = {}): Promise<Daemon> {
  const daemon = new Daemon(scope, options);
  for (const [name, limits] of Object.entries(options.users ?? {})) await daemon.addUser(name, limits);
  await daemon.start();
  return daemon;
}

/** Starts a daemon of its own with these users, who all have this password. */
export async function startWithAccounts(
  scope: Scope,
  password: string,
  users: readonly string[],
  args: readonly string[] = [],
): Promise<Daemon> {
  const daemon = new Daemon(scope, { args });
  await makeAccounts(daemon.state, password, users);
  await daemon.start();
  return daemon;
}
