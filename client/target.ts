/**
 * What a person writes to name a server and a place on it: [USER@]HOST[:PATH], as scp and sshfs take it.
 *
 * As in scp, a slash before the first colon makes the text a local path, so that `./a:b` is always local; an IPv6
 * address stands in brackets. What HOST means (an alias or an address) is resolved by resolveEndpoint, in one place.
 */
import type { SuiteName } from '../protocol/transport/aead.js';
import { Failure } from '../protocol/failure.js';
import { userName, type UserName } from '../protocol/ids.js';
import { DEFAULT_PORT } from '../protocol/limits.js';
import type { HostAlias } from './config.js';
import { localUserName } from './local-user.js';

export interface Target {
  readonly user: string | undefined;
  /** An alias, a name or an address; IPv6 without its brackets. */
  readonly host: string;
  /** What stands after the colon; undefined where there is no colon. */
  readonly path: string | undefined;
}

/** Where and as whom to log in. */
export interface Endpoint {
  readonly user: UserName;
  readonly host: string;
  readonly port: number;
  readonly suite: SuiteName | undefined;
  /** A path that may have been meant as a port, where none was given otherwise. */
  readonly likelyPort: string | undefined;
}

const TARGET = /^(?:(?<user>[^@:/[\]]*)@)?(?:\[(?<v6>[^\]/]+)\]|(?<name>[^:/@[\]\s]+))(?::(?<path>.*))?$/su;

/** Whether the text names something on a server, that is, has a HOST: in front. */
export function isRemote(text: string): boolean {
  return TARGET.exec(text)?.groups?.['path'] !== undefined;
}

const URL = /^[a-z][a-z0-9+.-]*:\/\//iu;
/** The whole of a path, or what is before a colon or slash in it. */
const PORT_LIKE = /^([1-9][0-9]{1,4})(?=[:/]|$)/;
const MAX_PORT = 65_535;

/** Reads [USER@]HOST[:PATH]. Throws USAGE. */
export function parseTarget(text: string): Target {
  if (URL.test(text)) {
    throw new Failure('USAGE', `'${text}' is a URL: write [USER@]HOST:PATH, and a port as -p PORT`);
  }
  const groups = TARGET.exec(text)?.groups;
  const host = groups?.['v6'] ?? groups?.['name'];
  const user = groups?.['user'];
  if (host === undefined || user === '' || host.startsWith('-') || /\p{Cc}/u.test(host)) {
    throw new Failure('USAGE', `'${text}' does not name a server: write [USER@]HOST or [USER@]HOST:PATH`);
  }
  return { user, host, path: groups?.['path'] };
}

/** A port of a command line. Throws USAGE. */
export function parsePort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > MAX_PORT)
    throw new Failure('USAGE', `'${text}' is not a port: a number from 1 to 65535`);
  return port;
}

/**
 * Where the target is: the command line before the alias before the defaults (port 8083, the user's own name).
 * Throws USAGE where the user name cannot be one.
 */
export function resolveEndpoint(
  target: Target,
  aliases: ReadonlyMap<string, HostAlias>,
  port: number | undefined,
): Endpoint {
  const alias = aliases.get(target.host);
  const user = target.user ?? alias?.user ?? localUserName();
  if (user === undefined) {
    const who = `uid ${process.getuid?.() ?? 0} has no name here that could be the user's`;
    throw new Failure('USAGE', `${who}: write USER@${target.host}`);
  }
  const given = port ?? alias?.port;
  try {
    return {
      user: userName(user),
      host: alias?.host ?? target.host,
      port: given ?? DEFAULT_PORT,
      suite: alias?.suite,
      likelyPort: given === undefined ? likelyPort(target) : undefined,
    };
  } catch (error) {
    throw new Failure('USAGE', Failure.from(error).message, { cause: error });
  }
}

function likelyPort({ path = '' }: Target): string | undefined {
  const port = PORT_LIKE.exec(path)?.[1];
  return Number(port) <= MAX_PORT ? port : undefined;
}
