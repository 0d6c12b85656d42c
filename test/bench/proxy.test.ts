/* The delaying proxy: what tests of reconnecting stand on has to break connections in just the way it says. */
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { startProxy, type Proxy } from '../../bench/proxy.js';

import type { Scope } from '../lib/scope.js';
/** A server that sends back what it gets, and the port it listens on. */
async function startEcho(t: Scope): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

async function connect(t: Scope, proxy: Proxy): Promise<net.Socket> {
  const socket = net.connect(proxy.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Sends the bytes and waits until as many have come back. */
async function roundTrip(socket: net.Socket, bytes: Buffer): Promise<Buffer> {
  const back: Buffer[] = [];
  let length = 0;
  const complete = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      back.push(chunk);
      length += chunk.length;
      if (length >= bytes.length) resolve();
    });
  });
  socket.write(bytes);
  await complete;
  socket.removeAllListeners('data');
  return Buffer.concat(back);
}

t.test('bytes come through whole and in order, and so does the end', async (t) => {
  const proxy = await startProxy(t, await startEcho(t), 4);
  const socket = await connect(t, proxy);
  const bytes = Buffer.alloc(3_000_000);
  for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, i);
  t.ok((await roundTrip(socket, bytes)).equals(bytes));
  const ended = once(socket, 'end');
  socket.resume().end();
  await ended;
});

t.test('cut resets what is connected; new connections work', async (t) => {
  const proxy = await startProxy(t, await startEcho(t));
  const socket = await connect(t, proxy);
  await roundTrip(socket, Buffer.from('before'));
  const failed = once(socket, 'error');
  await proxy.cut();
  t.match(await failed, [{ code: 'ECONNRESET' }]);
  const again = await connect(t, proxy);
  t.equal((await roundTrip(again, Buffer.from('after'))).toString(), 'after');
});

t.test('a stalled line delivers nothing and loses nothing', async (t) => {
  const proxy = await startProxy(t, await startEcho(t));
  const socket = await connect(t, proxy);
  await roundTrip(socket, Buffer.from('before'));
  await proxy.stall();
  let delivered = 0;
  socket.on('data', (chunk: Buffer) => (delivered += chunk.length));
  socket.write('while stalled');
  // Answers of the proxy come in order with what it does: two orders later it has read the bytes or never will.
  await proxy.delay(0);
  await proxy.delay(0);
  t.equal(delivered, 0);
  const data = once(socket, 'data');
  await proxy.resume();
  await data;
  t.not(delivered, 0);
});

t.test('a refused line resets new connections until it resumes', async (t) => {
  const proxy = await startProxy(t, await startEcho(t));
  await proxy.refuse();
  const refused = net.connect(proxy.port, '127.0.0.1');
  t.match(await once(refused, 'error').catch((error: unknown) => [error]), [{ code: 'ECONNRESET' }]);
  await proxy.resume();
  const socket = await connect(t, proxy);
  t.equal((await roundTrip(socket, Buffer.from('again'))).toString(), 'again');
});
