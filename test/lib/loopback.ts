/*
 * Connected sockets and a scripted server on loopback, for tests of the protocol.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Test } from 'tap';
import { accept, type Accepted } from '../../protocol/transport/acceptor.js';
import { nodeAead } from '../../protocol/transport/aead.js';
import { Channel, type CipherKeys } from '../../protocol/transport/channel.js';
import { encodeResponse, type IncomingMessage } from '../../protocol/codec.js';
import type { Failure } from '../../protocol/failure.js';
import { LEASE_TERM_MS, MAX_HELD, MAX_RECORD } from '../../protocol/limits.js';
import { generateKeyPair, type KeyPair } from '../../protocol/transport/x25519.js';
import { packDiskLimits, UNLIMITED_DISK } from '../../protocol/disk-limits.js';

/** A listening server on a free port of 127.0.0.1; everything is closed when the test ends. */
export async function listen(
  t: Test,
  onSocket: (socket: Socket) => void,
): Promise<{ server: Server; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** The two ends of one TCP connection. */
export async function socketPair(t: Test): Promise<{ near: Socket; far: Socket }> {
  const accepted: { resolve?: (socket: Socket) => void } = {};
  const farPromise = new Promise<Socket>((resolve) => {
    accepted.resolve = resolve;
  });
  const { port } = await listen(t, (socket) => accepted.resolve?.(socket));
  const near = connect(port, '127.0.0.1');
  near.on('error', () => {});
  t.teardown(() => near.destroy());
  await once(near, 'connect');
  return { near, far: await farPromise };
}

/** Fixed keys of the two ends of a channel. */
export function pairedKeys(): { near: CipherKeys; far: CipherKeys } {
  const one = Buffer.alloc(32, 1);
  const two = Buffer.alloc(32, 2);
  const counts = { suite: 'AESGCM', sendCount: 0, receiveCount: 0 } as const;
  return {
    near: { ...counts, sendKey: one, receiveKey: two },
    far: { ...counts, sendKey: two, receiveKey: one },
  };
}

/** Attributes of a directory as they travel. */
export const WIRE_ATTRIBUTES: readonly number[] = [7, 8, 0o40755, 2, 4096, 8, 0, 1, 2, 3, 4, 5, 6];

/** The server's side of one session of a ScriptedServer. */
export interface ServerSession {
  readonly accepted: Accepted;
  readonly channel: Channel;
  /** Resolves when the channel closed. */
  readonly closed: Promise<Failure | undefined>;
  logIn(id: number): void;
}

export interface Script {
  onAccept?(session: ServerSession): void;
  onMessage?(message: IncomingMessage, session: ServerSession): void;
  onHandshakeFailure?(failure: Failure): void;
  readonly timeoutMs?: number;
}

/** A server that shakes hands, admits everyone unless the script does otherwise, and then follows the script. */
export async function scriptedServer(
  t: Test,
  script: Script,
): Promise<{ port: number; staticKeyPair: KeyPair }> {
  const staticKeyPair = generateKeyPair();
  const { port } = await listen(t, (socket) => {
    const { timeoutMs } = script;
    accept(socket, {
      staticKeyPair,
      serverVersion: 'test/1',
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }).then(
      (accepted) => startSession(socket, accepted, script),
      (failure: Failure) => script.onHandshakeFailure?.(failure),
    );
  });
  return { port, staticKeyPair };
}

function startSession(socket: Socket, accepted: Accepted, script: Script): void {
  const ended: { resolve?: (failure: Failure | undefined) => void } = {};
  const closed = new Promise<Failure | undefined>((resolve) => {
    ended.resolve = resolve;
  });
  const channel = new Channel(socket, {
    keys: accepted.keys,
    aead: nodeAead,
    leftover: accepted.leftover,
    events: {
      onMessage: (message) => script.onMessage?.(message, session),
      onClose: (failure) => ended.resolve?.(failure),
    },
  });
  const session: ServerSession = {
    accepted,
    channel,
    closed,
    logIn(id) {
      const result = [
        ...['test/1', Buffer.alloc(8, 9), false, WIRE_ATTRIBUTES, 0, false, false],
        ...[LEASE_TERM_MS, packDiskLimits(UNLIMITED_DISK), MAX_HELD, []],
      ];
      channel.send(encodeResponse(id, undefined, result));
      channel.maxRecord = MAX_RECORD;
    },
  };
  if (script.onAccept === undefined) session.logIn(accepted.firstRequest.id);
  else script.onAccept(session);
}
