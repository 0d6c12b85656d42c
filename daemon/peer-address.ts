/* Addresses as logs and the control socket have them. */
import type { AddressInfo } from 'node:net';

/** ADDRESS:PORT or [ADDRESS]:PORT. */
export function formatAddress({ address, family, port }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The address of such a text. */
export function addressOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}
