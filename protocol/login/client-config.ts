/**
 * The client's config.toml: aliases of servers.
 *
 *   [hosts.work]
 *   host = "files.example.org"   # the alias itself where missing
 *   port = 8083
 *   user = "alice"
 *   suite = "ChaChaPoly"         # for processors without AES; else AESGCM
 *
 * What is unknown or of the wrong type is an error that names file, key and what is allowed: a misspelt key would
 * otherwise silently connect somewhere else.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { SUITE_NAMES, type SuiteName } from '../aead.js';
import { Failure } from '../failure.js';
import { userName } from '../ids.js';

export interface HostAlias {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly user: string | undefined;
  readonly suite: SuiteName | undefined;
}

/** The longest config file that is read, in bytes. */
const MAX_CONFIG = 1024 * 1024;

const ALIAS_KEYS = ['host', 'port', 'user', 'suite'];

/** The aliases of the file by name; none where there is no file. Throws USAGE, or EACCES where others may write it. */
export function readClientConfig(path: string): Map<string, HostAlias> {
  const text = readText(path);
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n', 1)[0] ?? '';
    throw new Failure('USAGE', `${path}:${error.line}: ${reason}`, { cause: error });
  }
  for (const key of Object.keys(document)) {
    if (key !== 'hosts') throw new Failure('USAGE', `${path}: unknown key '${key}': allowed is hosts`);
  }
  const aliases = new Map<string, HostAlias>();
  for (const [name, value] of Object.entries(table(document['hosts'] ?? {}, path, 'hosts'))) {
    aliases.set(name, readAlias(table(value, path, `hosts.${name}`), path, `hosts.${name}`));
  }
  return aliases;
}

function readAlias(fields: Record<string, unknown>, path: string, where: string): HostAlias {
  for (const key of Object.keys(fields)) {
    if (!ALIAS_KEYS.includes(key)) {
      throw new Failure(
        'USAGE',
        `${path}: unknown key '${where}.${key}': allowed are ${ALIAS_KEYS.join(', ')}`,
      );
    }
  }
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
    throw failure;
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw new Failure('EACCES', `${path} is not a regular file`);
    if ((status.mode & 0o022) !== 0) {
      throw new Failure('EACCES', `${path} can be written by others: chmod go-w it`);
    }
    if (status.size > MAX_CONFIG) throw new Failure('EFBIG', `${path} is too long`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw Failure.from(error);
  } finally {
    closeSync(file);
  }
}
