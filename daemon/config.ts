/*
 * The daemon's settings: one table gives the keys of the configuration file, the options of the command line (the same
 * names), their defaults, their checks and their help. The command line overrides the file.
 *
 * Invariant: an unknown key or a wrong value is an error that names the file, the key and what is allowed; nothing is ever
 * guessed or silently ignored.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { Failure } from '../protocol/failure.js';
import {
  DEFAULT_PORT,
  LEASE_TERM_MS,
  MAX_HELD,
  MAX_LEASE_TERM_MS,
  MAX_PASSWORD,
  MIN_LEASE_TERM_MS,
} from '../protocol/limits.js';
import { errnoText } from '../program/report.js';
import { MIN_PASSWORD } from '../state/password-rules.js';
import { parseBandwidth } from '../state/bandwidth.js';
import { parseTrashTime } from '../state/trash-time.js';
import { parseSize } from '../state/sizes.js';
import { LOG_LEVELS, type LogLevel } from './log.js';

/** Where to listen. */
export interface ListenAddress {
  /** Undefined: all addresses, IPv6 and IPv4. */
  readonly host: string | undefined;
  readonly port: number;
}

/** A setting: how a value (of TOML, or a text of the command line) is read; undefined where it is not allowed. */
interface Setting<T> {
  readonly read: (value: unknown) => T | undefined;
  /** What is allowed, for the error and the help. */
  readonly allowed: string;
  readonly help: string;
  readonly argument: string;
  /** Undefined: worked out by main.ts. */
  readonly fallback: T | undefined;
  /** Takes effect on SIGHUP; the others need a new start. */
  readonly reloads: boolean;
}

function setting<T>(s: Setting<T>): Setting<T> {
  return s;
}

function count(min: number, max: number, fallback: number, help: string, reloads = true): Setting<number> {
  return {
    read: (value) => {
      const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
      return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max
        ? number
        : undefined;
    },
    allowed: `a whole number from ${min} to ${max}`,
    help,
    argument: 'N',
    fallback,
    reloads,
  };
}

function path(help: string, argument: string): Setting<string> {
  return {
    read: (value) => (typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined),
    allowed: 'a path',
    help,
    argument,
    fallback: undefined,
    reloads: false,
  };
}

function size(
  help: string,
  allowed = 'a size such as 5G, or 0 for none',
  parse = parseSize,
  argument = 'SIZE',
): Setting<number | undefined> {
  return {
    read: (value) => {
      try {
        return parse(String(value));
      } catch {
        return undefined;
      }
    },
    allowed,
    help,
    argument,
    fallback: undefined,
    reloads: true,
  };
}

const MAX_WORKERS = 64;
/** A worker costs memory (worker.ts), and one serves many users: so no more than this by default. */
const DEFAULT_WORKERS = Math.min(availableParallelism(), 4);
/** Files of one home that its mounts have open at the same time. */
export const DEFAULT_OPEN_FILES = 16_384;

const LISTEN_ALLOWED = 'HOST:PORT, [IPV6]:PORT or :PORT for all addresses, with a port from 0 to 65535';

export const SETTINGS = {
  listen: setting<ListenAddress>({
    read: (value) => (typeof value === 'string' ? parseListen(value) : undefined),
    allowed: LISTEN_ALLOWED,
    help: `address to listen on; port 0 picks one (default: all addresses, port ${DEFAULT_PORT})`,
    argument: 'HOST:PORT',
    fallback: { host: undefined, port: DEFAULT_PORT },
    reloads: false,
  }),
  'web-listen': setting<ListenAddress | undefined>({
    read: (value) => (typeof value === 'string' ? parseListen(value) : undefined),
    allowed: LISTEN_ALLOWED,
    help: 'address of the web page, /metrics and /healthz (default: none)',
    argument: 'HOST:PORT',
    fallback: undefined,
    reloads: false,
  }),
  'web-host': setting<string | undefined>({
    read: (value) => (typeof value === 'string' && /^[a-z0-9][a-z0-9.-]*$/i.test(value) ? value : undefined),
    allowed: 'the name of a host',
    help: "name by which browsers reach the page, beside localhost and this machine's addresses (default: none)",
    argument: 'NAME',
    fallback: undefined,
    reloads: false,
  }),
  home: path("directory of the users' homes (default: see below)", 'DIR'),
  state: path('directory of accounts, quotas, key and logs (default: see below)', 'DIR'),
  user: setting<string | undefined>({
    read: (value) => (typeof value === 'string' && /^[^\s:/-][^\s:/]*$/.test(value) ? value : undefined),
    allowed: 'the name of a user',
    help: 'whom the daemon becomes where root starts it (default: ftpmount, where there is one and the state is the default)',
    argument: 'NAME',
    fallback: undefined,
    reloads: false,
  }),
  workers: count(
    1,
    MAX_WORKERS,
    DEFAULT_WORKERS,
    'worker threads (default: one per processor, at most 4)',
    false,
  ),
  'max-sessions': count(1, 100_000, 256, 'sessions at the same time'),
  'max-sessions-per-user': count(1, 100_000, 64, 'sessions of one user, waiting ones included'),
  'max-queue': count(0, 100_000, 256, 'clients that may wait for a session'),
  'max-unauthenticated': count(1, 100_000, 128, 'connections that are not logged in'),
  'max-per-address': count(1, 100_000, 64, 'connections of one address that are not logged in or wait'),
  'lockout-failures': count(
    1,
    1000,
    10,
    'failed logins of a user at one address, or device, before that user is locked out there',
  ),
  'lockout-seconds': count(1, 86_400, 300, 'length of a lockout'),
  'max-open-files': count(
    1,
    MAX_HELD,
    DEFAULT_OPEN_FILES,
    'files of one home that are kept open for its mounts; one too many is ENFILE',
    false,
  ),
  'upload-expiry': count(
    1,
    3650,
    7,
    'days after which an upload that broke off and nobody goes on with is removed',
    false,
  ),
  'lease-term': count(
    MIN_LEASE_TERM_MS / 1000,
    MAX_LEASE_TERM_MS / 1000,
    LEASE_TERM_MS / 1000,
    'seconds for which others wait for a mount that is gone',
    false,
  ),
  bandwidth: size(
    'bytes a second that come and go of all users together (default: no limit)',
    'a size such as 10M, from 256K to 1T, or 0 for none',
    parseBandwidth,
  ),
  'default-quota': size('quota of new users of whom none is said (default: it has to be said)'),
  'default-max-files': count(0, 10 ** 15, 0, 'limit of files of new users of whom none is said; 0 is none'),
  'default-trash': size(
    'for how long the trash of new users of whom nothing is said keeps what they remove (default: off)',
    'a span such as 30d, 366d at most, or off',
    parseTrashTime,
    'SPAN',
  ),
  'min-password': count(1, MAX_PASSWORD, MIN_PASSWORD, 'characters that a new password has at least'),
  'log-level': setting<LogLevel>({
    read: (value) => LOG_LEVELS.find((level) => level === value),
    allowed: `one of ${LOG_LEVELS.join(', ')}`,
    help: 'least important lines that are logged',
    argument: 'LEVEL',
    fallback: 'info',
    reloads: true,
  }),
  'log-file': path("file of the daemon's log (default: standard error)", 'FILE'),
  'log-max-size': count(
    1,
    1024 * 1024,
    20,
    'MiB after which user.log, manager.log and the log file are begun anew, each',
  ),
  'log-max-age': count(1, 3650, 7, 'days after which they are begun anew'),
  'log-keep': count(0, 1000, 12, 'how many former ones of each are kept: LOG.1 is the newest'),
} as const;

export type SettingName = keyof typeof SETTINGS;
type Value<N extends SettingName> = (typeof SETTINGS)[N] extends Setting<infer T> ? T : never;
/** What was set, of the file or of the command line. */
export type GivenSettings = { [N in SettingName]?: Value<N> };
/** All settings; those without a fixed default may be undefined. */
export type Config = {
  readonly [N in SettingName]: (typeof SETTINGS)[N]['fallback'] extends undefined
    ? Value<N> | undefined
    : Value<N>;
};

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** Longest configuration file, in bytes. */
const MAX_CONFIG = 64 * 1024;

/** Reads a configuration file. Relative paths in it count from the working directory. Throws USAGE. */
export function readConfigFile(file: string): GivenSettings {
  let document: Record<string, unknown>;
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > MAX_CONFIG) throw new Failure('USAGE', `${file} is longer than ${MAX_CONFIG} bytes`);
    document = parse(text);
  } catch (error) {
    if (error instanceof TomlError) {
      const reason = error.message.split('\n', 1)[0] ?? '';
      throw new Failure('USAGE', `${file}:${error.line}: ${reason}`, { cause: error });
    }
    if (error instanceof Failure) throw error;
    throw new Failure(
      'USAGE',
      `configuration ${file} cannot be read: ${errnoText(Failure.from(error).code)}`,
    );
  }
  return readSettings(untabled(document), (key) => `${file}: '${key}'`);
}

/** `[web] listen` as web-listen: a table holds the settings whose names begin with its own. */
function untabled(document: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isTable = (key: string, value: unknown): value is object =>
    typeof value === 'object' && value !== null && SETTING_NAMES.some((name) => name.startsWith(`${key}-`));
  return Object.fromEntries(
    Object.entries(document).flatMap(([key, value]) =>
      isTable(key, value)
        ? Object.entries(value).map(([name, inner]): [string, unknown] => [`${key}-${name}`, inner])
        : [[key, value]],
    ),
  );
}

/** Checks values by name; `where` names a key in a failure. Throws USAGE. */
export function readSettings(
  values: Readonly<Record<string, unknown>>,
  where: (key: string) => string,
): GivenSettings {
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(SETTINGS, key)) {
      throw new Failure('USAGE', `${where(key)} is not known: allowed are ${SETTING_NAMES.join(', ')}`);
    }
    const { read, allowed } = SETTINGS[key as SettingName];
    const checked = read(value);
    if (checked === undefined) throw new Failure('USAGE', `${where(key)} must be ${allowed}`);
    given[key] = checked;
  }
  return given as GivenSettings; // each value was read by the setting of its name
}

/** The settings in force: the first that gives a value counts, then the default. */
export function mergeSettings(...sources: readonly GivenSettings[]): Config {
  const config: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const source = sources.find((given) => given[name] !== undefined);
    config[name] = source === undefined ? SETTINGS[name].fallback : source[name];
  }
  return config as Config; // each value is of the setting of its name
}

/** The names of settings that differ and need a new start. */
export function needingRestart(before: Config, after: Config): SettingName[] {
  return SETTING_NAMES.filter((name) => {
    const same = JSON.stringify(before[name]) === JSON.stringify(after[name]);
    return !same && !SETTINGS[name].reloads;
  });
}

/** A path setting, absolute. */
export function absolute(directory: string): string {
  return resolve(directory);
}

function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = match[1] ?? match[2] ?? '';
  return port > 65_535 ? undefined : { host: host === '' || host === '*' ? undefined : host, port };
}
