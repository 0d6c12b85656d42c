/*
 * By which names the page may be asked for. A site that leads its own name to the address of the page (DNS rebinding) is, for a
 * browser, the same site as the page, and could read what needs no password; but its name is in the header Host.
 */
import { isIP } from 'node:net';

/** Whether `host`, the header, is an address, localhost, or this name. Without one it is no browser who asks. */
export function isOwnHost(host: string | undefined, name: string | undefined): boolean {
  if (host === undefined) return true;
  const plain = host.replace(/:\d*$/, '').toLowerCase();
  return (
    plain === 'localhost' || plain === name?.toLowerCase() || isIP(plain.replace(/^\[(.*)\]$/, '$1')) !== 0
  );
}
