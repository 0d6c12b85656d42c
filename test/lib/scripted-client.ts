/* A client of a scripted server on loopback, for tests of what the two say to each other. */
import type { Test } from 'tap';
import { nodeAead } from '../../protocol/transport/aead.js';
import { Client, type ConnectOptions } from '../../protocol/session/client.js';
import { type IncomingMessage } from '../../protocol/codec.js';
import { LEASE_WRITE } from '../../protocol/methods.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import { scriptedServer, type Script, type ServerSession } from './loopback.js';

export const PATH = Buffer.from('file');

export function optionsFor(port: number, more: Partial<ConnectOptions> = {}): ConnectOptions {
  return {
    host: '127.0.0.1',
    port,
    aead: nodeAead,
    staticKeyPair: generateKeyPair(),
    verifyHost: async () => {},
    login: {
      user: 'alice',
      password: 'secret',
      clientId: Buffer.alloc(16, 3),
      leaseWanted: LEASE_WRITE,
      program: 'test/1',
    },
    ...more,
  };
}

export async function connected(
  t: Test,
  script: Script,
  more: Partial<ConnectOptions> = {},
): Promise<Client> {
  const { port } = await scriptedServer(t, script);
  const client = await Client.connect(optionsFor(port, more));
  t.teardown(() => client.close());
  return client;
}

/** A script that hands every request to `handle`. */
export function onRequest(
  handle: (request: IncomingMessage & { kind: 'request' }, session: ServerSession) => void,
): Script {
  return {
    onMessage(message, session) {
      if (message.kind === 'request') handle(message, session);
    },
  };
}
