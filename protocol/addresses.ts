/** Addresses of peers, as they are shown and told apart. */
import { Failure } from './failure.js';

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
