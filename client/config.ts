/**
 * The client's config.toml: aliases of servers, what `ftpmount --all` mounts, and how long ftpctl keeps a session.
 *
 *   master-idle = 60             # seconds until the next command; 0: not at all
 *
 *   [hosts.work]
 *   host = "files.example.org"   # the alias itself where missing
 *   port = 8083
 *   user = "alice"
 *   suite = "ChaChaPoly"         # for processors without AES; else AESGCM
 *
 *   [mounts."~/remote"]
 *   source = "work:projects"     # as ftpmount takes it
 *   options = "soft=30"          # as after -o
 *
 * What is unknown or of the wrong type is an error that names file, key and what is allowed: a misspelt key would
 * otherwise silently connect somewhere else.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { SUITE_NAMES, type SuiteName } from '../protocol/transport/aead.js';
import { Failure } from '../protocol/failure.js';
import { userName } from '../protocol/ids.js';

export interface HostAlias {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly user: string | undefined;
  readonly suite: SuiteName | undefined;
}

/** A mount of the file, not parsed further: what a mount option is, the mount knows. */
export interface ConfiguredMount {
  /** Absolute. */
  readonly mountpoint: string;
  readonly source: string;
  readonly options: string;
}

export interface ClientConfig {
  /** By their names. */
  readonly hosts: ReadonlyMap<string, HostAlias>;
  /** In the order of the file. */
  readonly mounts: readonly ConfiguredMount[];
  /** How long a session is kept that no command uses (milliseconds); 0: not at all. */
  readonly masterIdleMs: number;
}

/** In seconds: what it is, and what it may be set to (a day). */
const MASTER_IDLE = 60;
const MAX_MASTER_IDLE = 86_400;

/** The longest config file that is read, in bytes. */
const MAX_CONFIG = 1024 * 1024;

const KEYS = ['hosts', 'mounts', 'master-idle'];
const ALIAS_KEYS = ['host', 'port', 'user', 'suite'];
const MOUNT_KEYS = ['source', 'options'];

/** What the file says, or what holds without one. Throws USAGE, also where others may write it. */
export function readClientConfig(path: string): ClientConfig {
  const document = parseToml(readText(path), path);
  requireKeys(document, KEYS, path, '');
  const idle = document['master-idle'] ?? MASTER_IDLE;
  if (typeof idle !== 'number' || !Number.isInteger(idle) || idle < 0 || idle > MAX_MASTER_IDLE) {
    throw new Failure('USAGE', `${path}: 'master-idle' must be a whole number from 0 to ${MAX_MASTER_IDLE}`);
  }
  const hosts = new Map<string, HostAlias>();
  for (const [name, value] of Object.entries(table(document['hosts'] ?? {}, path, 'hosts'))) {
    hosts.set(name, readAlias(table(value, path, `hosts.${name}`), path, `hosts.${name}`));
  }
  const mounts = Object.entries(table(document['mounts'] ?? {}, path, 'mounts')).map(([place, value]) =>
    readMount(place, table(value, path, `mounts.${place}`), path, `mounts.${place}`),
  );
  return { hosts, mounts, masterIdleMs: idle * 1000 };
}

function parseToml(text: string, path: string): Record<string, unknown> {
  if (text === '') return {};
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n', 1)[0] ?? '';
    throw new Failure('USAGE', `${path}:${error.line}: ${reason}`, { cause: error });
  }
}

function readMount(
  place: string,
  fields: Record<string, unknown>,
  path: string,
  where: string,
): ConfiguredMount {
  requireKeys(fields, MOUNT_KEYS, path, `${where}.`);
  const { source, options = '' } = fields;
  const mountpoint = place.replace(/^~(?=\/|$)/, homedir());
  if (!isAbsolute(mountpoint)) {
    throw new Failure('USAGE', `${path}: '${where}' must be an absolute path, or one that begins with ~/`);
  }
  if (typeof source !== 'string') {
    throw new Failure('USAGE', `${path}: '${where}.source' must be a text: [USER@]HOST[:DIR]`);
  }
  if (typeof options !== 'string') {
    throw new Failure('USAGE', `${path}: '${where}.options' must be a text, as after -o`);
  }
  return { mountpoint, source, options };
}

function readAlias(fields: Record<string, unknown>, path: string, where: string): HostAlias {
  requireKeys(fields, ALIAS_KEYS, path, `${where}.`);
  const { host, port, user, suite } = fields;
  const wrong = (key: string, allowed: string): never => {
    throw new Failure('USAGE', `${path}: '${where}.${key}' must be ${allowed}`);
  };
  if (host !== undefined && (typeof host !== 'string' || !/^[^\s\p{Cc}/@[\]]+$/u.test(host))) {
    return wrong('host', 'a host name or an address without brackets');
  }
  if (port !== undefined && !(Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    return wrong('port', 'a whole number from 1 to 65535');
  }
  if (user !== undefined && !isUserName(user)) return wrong('user', 'a user name');
  const suiteName = SUITE_NAMES.find((name) => name === suite);
  if (suite !== undefined && suiteName === undefined) {
    return wrong('suite', SUITE_NAMES.map((name) => `"${name}"`).join(' or '));
  }
  return { host, port: port === undefined ? undefined : Number(port), user, suite: suiteName };
}

function requireKeys(
  fields: Record<string, unknown>,
  allowed: readonly string[],
  path: string,
  prefix: string,
): void {
  const unknown = Object.keys(fields).find((key) => !allowed.includes(key));
  if (unknown === undefined) return;
  throw new Failure('USAGE', `${path}: unknown key '${prefix}${unknown}': allowed are ${allowed.join(', ')}`);
}

function isUserName(value: unknown): value is string {
  try {
    return typeof value === 'string' && userName(value) === value;
  } catch {
    return false;
  }
}

function table(value: unknown, path: string, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Failure('USAGE', `${path}: '${where}' must be a table`);
  }
  return value as Record<string, unknown>;
}

/** Whoever can write the file could lead its owner to another server. */
function readText(path: string): string {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind === 'ENOENT') return '';
    throw failure.kind === 'ELOOP' ? new Failure('USAGE', `${path} is a loop of symbolic links`) : failure;
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw new Failure('USAGE', `${path} is not a regular file`);
    if ((status.mode & 0o022) !== 0) {
      throw new Failure('USAGE', `${path} can be written by others: chmod go-w it`);
    }
    if (status.size > MAX_CONFIG) throw new Failure('USAGE', `${path} is too long`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw Failure.from(error);
  } finally {
    closeSync(file);
  }
}
