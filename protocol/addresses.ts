/** Addresses of peers, as they are shown and told apart. */

/** An IPv4 address that arrived on an IPv6 socket as itself; others as they are. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
