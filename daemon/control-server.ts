/*
 * The daemon's end of the control socket (state/control.ts): one request a connection, answered, closed. What a request
 * does is the handler's affair.
 */
import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { Failure } from '../protocol/failure.js';
import {
  ALIVE_MS,
  formatControlAnswer,
  MAX_CONTROL_REQUEST,
  parseControlRequest,
  type Ask,
  type ControlAnswers,
  type ControlRequest,
} from '../state/control.js';
import { makeWayFor, SOCKET_MODE } from '../state/private-socket.js';
import type { Log } from './log.js';

/** How long a connection may take to say its request (milliseconds). */
const REQUEST_MS = 10_000;
/** Connections at a time: each is somebody who already has the rights of the daemon. */
const MAX_CONNECTIONS = 64;

export class ControlServer {
  readonly #server: Server;
  readonly #log: Log;
  readonly #ask: Ask;
  readonly #sockets = new Set<Socket>();

  constructor(ask: Ask, log: Log) {
    this.#ask = ask;
    this.#log = log;
    // Half-open: the client ends its side with the request and then waits for the answer.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Listens at `path`, in place of what a killed daemon left: the caller holds the lock of the state directory. */
  async listen(path: string): Promise<void> {
    makeWayFor(path);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    chmodSync(path, SOCKET_MODE);
    this.#server.on('error', (error) => this.#log.warn({ error }, 'control socket'));
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const deadline = setTimeout(() => socket.destroy(), REQUEST_MS);
    socket.on('close', () => clearTimeout(deadline));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      const end = chunk.indexOf('\n');
      text += end < 0 ? chunk : chunk.slice(0, end);
      if (end < 0 && text.length <= MAX_CONTROL_REQUEST) return;
      clearTimeout(deadline);
      socket.removeAllListeners('data').resume();
      void this.#answer(socket, end < 0 ? '' : text);
    });
  }

  /** Never rejects. */
  async #answer(socket: Socket, line: string): Promise<void> {
    const alive = setInterval(() => socket.write(' '), ALIVE_MS);
    let answer: Failure | ControlAnswers[ControlRequest['type']];
    try {
      answer = await this.#ask(parseControlRequest(line));
    } catch (error) {
      answer = Failure.from(error);
      this.#log.warn({ error }, 'control request failed');
    } finally {
      clearInterval(alive);
    }
    socket.end(formatControlAnswer(answer));
  }
}
