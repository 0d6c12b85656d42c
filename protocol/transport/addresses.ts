/** Addresses of peers, as they are shown and told apart. */
import { isIPv6 } from 'node:net';
import { Failure } from '../failure.js';

/** An IPv4 address that arrived on an IPv6 socket as itself; others as they are. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}

/** The name of a server, as known_hosts has it, too: lower-case host and port, an IPv6 address in brackets. Throws USAGE. */
export function hostAddress(host: string, port: number): string {
  if (!/^[^\s\p{Cc}#[\]]+$/u.test(host))
    throw new Failure('USAGE', `not a host name: ${JSON.stringify(host)}`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Failure('USAGE', `not a port: ${port}`);
  const name = host.toLowerCase();
  return name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`;
}

/** The eight groups of an IPv6 address, in hexadecimal without leading zeros; undefined of any other. */
export function ipv6Groups(address: string): string[] | undefined {
  const [plain = ''] = address.split('%', 1);
  if (!isIPv6(plain)) return undefined;
  // As the URL standard writes it, who ever wrote it how.
  const [head = '', tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::', 2);
  const groups = head === '' ? [] : head.split(':');
  if (tail === undefined) return groups;
  const after = tail === '' ? [] : tail.split(':');
  return [...groups, ...Array<string>(8 - groups.length - after.length).fill('0'), ...after];
}
