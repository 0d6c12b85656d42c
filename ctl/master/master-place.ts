/**
 * Where the masters of a user listen (master.ts says what they are): one socket for each way to log in, in a directory that only
 * the user can enter. Whoever can reach a socket may use the session behind it, so that directory is what guards it.
 *
 * The name of a socket is a digest of all that a login depends on: who, where, to which home, by which key or file of a password, which keys of
 * servers are known. A file that changes leads to another name, and so to a login; what a file holds is not in it. Another
 * version of this program never meets this one's masters.
 */
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ShareName } from '../../protocol/ids.js';
import type { ClientFiles } from '../../client/files.js';
import { isPrivate } from '../../client/private-directory.js';
import type { Endpoint } from '../../client/target.js';
import { VERSION } from '../../program/version.js';
import { MAX_SOCKET_PATH } from '../../state/private-socket.js';

/** What a master that is being started puts behind the name, at most: a dot and its pid. */
const BEHIND_NAME = 12;
const NAME_DIGITS = 20;
const NAME = new RegExp(`^[0-9a-f]{${NAME_DIGITS}}$`);

/** Undefined where there can be no master: the password comes from standard input, or no socket has so long a path. */
export function masterSocket(
  endpoint: Endpoint & { readonly share?: ShareName | undefined },
  passwordFile: string | undefined,
  files: ClientFiles,
): string | undefined {
  if (passwordFile === '-') return undefined;
  const { user, host, port, suite, share } = endpoint;
  const from = [files.key, files.knownHosts, ...(passwordFile === undefined ? [] : [passwordFile])];
  const login = [VERSION, user, host, port, suite, share ?? null, ...from.map(stateOf)];
  const name = createHash('sha256').update(JSON.stringify(login)).digest('hex').slice(0, NAME_DIGITS);
  const path = join(files.masters, name);
  return Buffer.byteLength(path) + BEHIND_NAME > MAX_SOCKET_PATH ? undefined : path;
}

/** The sockets that are there, also those that nobody listens at any more. */
export function masterSockets({ masters }: ClientFiles): string[] {
  if (!isPrivate(masters)) return [];
  return readdirSync(masters)
    .filter((name) => NAME.test(name))
    .map((name) => join(masters, name));
}

/** What changes when a file does: empty where it cannot be seen, which the login then tells. */
function stateOf(path: string): string {
  try {
    const { dev, ino, ctimeNs } = statSync(path, { bigint: true });
    return `${dev}.${ino}.${ctimeNs}`;
  } catch {
    return '';
  }
}
