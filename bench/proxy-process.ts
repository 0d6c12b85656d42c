/*
 * The delaying proxy's own process: what comes in leaves after half a round trip, in order, in each direction.
 * Bytes that wait are bounded for each direction; a sender that would pass the bound is not read, as a full pipe
 * of a network is not. Orders come over the IPC channel (see proxy.ts).
 */
import net from 'node:net';
import type { Carried, ProxyOrder } from './proxy.js';

/** 20 ms of a 10 Gbit/s line is 25 MiB: the bound is no bottleneck of what is measured. */
const MAX_WAITING = 64 * 1024 * 1024;

const [targetPort = NaN, initialRtt = NaN] = process.argv.slice(2).map(Number);
let halfRttMs = initialRtt / 2;
let stalled = false;
let accepting = true;
const pairs = new Set<Pair>();
const carried: { -readonly [K in keyof Carried]: number } = { fromClients: 0, fromTarget: 0 };

/** One direction of a connection. */
class Pipe {
  readonly #waiting: { readonly chunk: Buffer; readonly due: number }[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #endDue: number | undefined;

  constructor(
    private readonly from: net.Socket,
    private readonly to: net.Socket,
    origin: keyof Carried,
  ) {
    from.on('data', (chunk: Buffer) => {
      carried[origin] += chunk.length;
      this.#waiting.push({ chunk, due: performance.now() + halfRttMs });
      this.#waitingBytes += chunk.length;
      if (this.#waitingBytes > MAX_WAITING) from.pause();
      this.deliver();
    });
    from.on('end', () => {
      this.#endDue = performance.now() + halfRttMs;
      this.deliver();
    });
    to.on('drain', () => this.deliver());
  }

  /** Sends what is due and comes back for the rest. */
  deliver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (stalled) return;
    const now = performance.now();
    for (let next = this.#waiting[0]; next && !this.to.writableNeedDrain; next = this.#waiting[0]) {
      if (next.due > now) {
        this.#timer = setTimeout(() => this.deliver(), next.due - now);
        return;
      }
      this.#waiting.shift();
      this.#waitingBytes -= next.chunk.length;
      this.to.write(next.chunk);
    }
    if (this.#waitingBytes <= MAX_WAITING && this.from.isPaused()) this.from.resume();
    if (this.#endDue === undefined || this.#waiting.length > 0) return;
    if (this.#endDue <= now) this.to.end();
    else this.#timer = setTimeout(() => this.deliver(), this.#endDue - now);
  }

  drop(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }
}

/** One proxied connection: the client's socket and the one to the target. */
class Pair {
  readonly #sockets: readonly [net.Socket, net.Socket];
  readonly #pipes: readonly [Pipe, Pipe];

  constructor(client: net.Socket) {
    const target = net.connect({ host: '127.0.0.1', port: targetPort, noDelay: true, allowHalfOpen: true });
    client.setNoDelay(true);
    this.#sockets = [client, target];
    this.#pipes = [new Pipe(client, target, 'fromClients'), new Pipe(target, client, 'fromTarget')];
    for (const socket of this.#sockets) {
      socket.on('error', () => this.cut());
      socket.on('close', (hadError) => {
        if (hadError || this.#sockets.every((each) => each.destroyed)) this.cut();
      });
    }
  }

  deliver(): void {
    for (const pipe of this.#pipes) pipe.deliver();
  }

  /** Resets both sides; what was under way is lost. */
  cut(): void {
    pairs.delete(this);
    for (const pipe of this.#pipes) pipe.drop();
    for (const socket of this.#sockets) if (!socket.destroyed) socket.resetAndDestroy();
  }
}

const server = net.createServer({ allowHalfOpen: true }, (client) => {
  if (accepting) pairs.add(new Pair(client));
  else client.resetAndDestroy();
});

function obey(order: ProxyOrder): void {
  switch (order.do) {
    case 'cut':
      for (const pair of pairs) pair.cut();
      break;
    case 'refuse':
      accepting = false;
      for (const pair of pairs) pair.cut();
      break;
    case 'stall':
      stalled = true;
      break;
    case 'resume':
      stalled = false;
      accepting = true;
      for (const pair of pairs) pair.deliver();
      break;
    case 'delay':
      halfRttMs = order.rttMs / 2;
      break;
    case 'count':
      break;
  }
  process.send?.({ carried });
}

process.on('message', obey);
process.on('disconnect', () => process.exit(0)); // Whoever started it is gone.
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
});
