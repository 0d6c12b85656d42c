/*
 * Sending to a client that has no session yet, and so no window that bounds what waits for it.
 *
 * Invariant: a client that asks (a stranger may send pings without end) and does not read costs MAX_UNREAD, then nothing.
 */
import type { Channel } from '../protocol/transport/channel.js';
import type { OutgoingMessage } from '../protocol/codec.js';
import { Failure } from '../protocol/failure.js';

/** Bytes that may wait for the client; what it is sent is a few answers and places in the queue. */
const MAX_UNREAD = 64 * 1024;

/** Sends, and closes the channel when too much of what was sent before is still here. */
export function sendBounded(channel: Channel, message: OutgoingMessage): void {
  channel.send(message);
  if (channel.bufferedBytes > MAX_UNREAD) {
    channel.destroy(new Failure('PROTOCOL', 'the client does not read what it is sent'));
  }
}
