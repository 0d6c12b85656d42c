/* Where requests come from, for the audit trail: an address, or the socket in the state directory. */
import type { FastifyRequest } from 'fastify';
import { plainAddress } from '../protocol/transport/addresses.js';

/** Who comes by the socket has none. */
export const BY_SOCKET = 'by the socket';

/** Without port. */
export function peerOf({ raw }: FastifyRequest): string {
  const { remoteAddress } = raw.socket;
  return remoteAddress === undefined ? BY_SOCKET : plainAddress(remoteAddress);
}
