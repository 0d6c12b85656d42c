/*
 * What the daemon shows over HTTP where `web-listen` says so: /healthz and /metrics for machines, and the page of the
 * administrator. Loaded only then. All of it is at a socket in the state directory, too, where nobody is asked for a password.
 *
 * Invariant: all that is known here is what the state and the daemon's answers say (state/control.ts), who is signed in, and the
 * samples of the graphs. No file is served: style and script are in the program.
 */
import { chmodSync } from 'node:fs';
import type { Socket } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify';
import { Failure } from '../protocol/failure.js';
import { errnoText } from '../program/report.js';
import { makeWayFor, SOCKET_MODE } from '../state/private-socket.js';
import { api } from './api/api.js';
import { isOwnHost } from './host.js';
import { History, SAMPLE_MS } from './history.js';
import { monitoring } from './monitoring.js';
import type { WebOptions } from './options.js';
import { site } from './site.js';

/** Connections at the same time, of browsers and of what watches. */
const MAX_CONNECTIONS = 64;
/** The longest form; the head of a request is bounded by node. */
const MAX_BODY = 16 * 1024;
/** Milliseconds that a request may take to arrive, and how often that is looked at. */
const REQUEST_MS = 10_000;
const LOOK_MS = 2_000;

const BAD_REQUEST = 'bad request\n';

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

export interface WebServer {
  /** http://HOST:PORT */
  readonly url: string;
  close(): Promise<void>;
}

/** Throws a Failure where it cannot listen. */
export async function startWeb(options: WebOptions): Promise<WebServer> {
  const { ask, onError } = options;
  const history = new History();
  const sample = async (): Promise<void> => {
    try {
      const [status, measurements] = await Promise.all([
        ask({ type: 'status' }),
        ask({ type: 'measurements' }),
      ]);
      history.add(performance.now(), status, measurements);
    } catch (error) {
      onError(error, 'a sample for the graphs');
    }
  };
  const sites = {
    listening: siteOf(options, history, 'password'),
    socket: siteOf(options, history, 'socket'),
  };
  const close = async (): Promise<void> => {
    await Promise.all([sites.listening.close(), sites.socket.close()]);
  };
  try {
    const url = await listenAt(sites.listening, options.listen);
    await listenPrivately(sites.socket, options.state.paths.web);
    await sample();
    const sampling = setInterval(() => void sample(), SAMPLE_MS).unref();
    return {
      url,
      close: () => {
        clearInterval(sampling);
        return close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Returns the URL. */
async function listenAt(web: FastifyInstance, { host, port }: WebOptions['listen']): Promise<string> {
  try {
    return await web.listen({ host: host ?? '::', port });
  } catch (error) {
    const { code, kind } = Failure.from(error);
    const where = `${host ?? 'all addresses'}, port ${port}`;
    throw new Failure(kind, `${where}: ${errnoText(code)}: choose another by --web-listen`, { cause: error });
  }
}

async function listenPrivately(web: FastifyInstance, path: string): Promise<void> {
  makeWayFor(path);
  await web.listen({ path });
  chmodSync(path, SOCKET_MODE);
}

/** `signIn`: by what the administrator gets in; who reaches the socket has the rights of the daemon anyway. */
function siteOf(options: WebOptions, history: History, signIn: 'password' | 'socket'): FastifyInstance {
  const { name, onError } = options;
  const web = fastify({
    logger: false,
    bodyLimit: MAX_BODY,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: true,
    // What the schemas of the API do not have is refused: by itself it would be dropped, and null be taken for 0.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allowUnionTypes: true } },
    http: { connectionsCheckingInterval: LOOK_MS },
    frameworkErrors: (_error, _request, reply) => {
      reply.headers(SECURITY_HEADERS);
      return plain(reply, 400, BAD_REQUEST);
    },
    clientErrorHandler: refuseGarbage,
  });
  web.server.maxConnections = MAX_CONNECTIONS;
  oneAtATime(web);
  web.addHook('onRequest', async ({ headers }, reply) => {
    reply.headers(SECURITY_HEADERS);
    if (!isOwnHost(headers.host, name))
      return plain(reply, 421, 'the page has another name: ftpmountd --web-host says which\n');
  });
  web.setNotFoundHandler((_, reply) => plain(reply, 404, 'there is no such page\n'));
  web.setErrorHandler((thrown: Error & { statusCode?: number }, request, reply) => {
    const status = thrown.statusCode ?? 500;
    if (status < 500) return plain(reply, status, BAD_REQUEST);
    onError(thrown, `${request.method} ${request.routeOptions.url ?? 'of nothing'}`);
    return plain(reply, status, 'internal error: the log of the daemon says more\n');
  });
  monitoring(web, options);
  site(web, options, { history, signIn });
  api(web, options);
  return web;
}

/** Each connection has one request at a time: node would begin all that are sent ahead, thousands. No browser sends any. */
function oneAtATime(web: FastifyInstance): void {
  const busy = new WeakSet<Socket>();
  web.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    if (busy.has(socket)) {
      reply.hijack();
      socket.destroy();
      return;
    }
    busy.add(socket);
    reply.raw.once('close', () => busy.delete(socket));
    done();
  });
}

/** What node could not read as a request, or did not get in time. */
function refuseGarbage({ code }: Error & { readonly code?: string }, socket: Socket): void {
  const status =
    code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? '408 Request Timeout'
      : code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : '400 Bad Request';
  const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${BAD_REQUEST.length}\r\nConnection: close`;
  if (socket.writable) socket.write(`${head}\r\n\r\n${BAD_REQUEST}`);
  socket.destroy();
}

function plain(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type('text/plain').send(text);
}
