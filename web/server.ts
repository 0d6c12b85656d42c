/*
 * What the daemon shows over HTTP where `web-listen` says so: /healthz and /metrics for machines. Loaded only then.
 *
 * Invariant: nothing is known here but what the state and the daemon's answers say (state/control.ts): a request reads, and is
 * forgotten.
 */
import { fastify } from 'fastify';
import { Failure } from '../protocol/failure.js';
import { errnoText } from '../protocol/login/report.js';
import type { Ask } from '../state/control.js';
import type { State } from '../state/store.js';
import { userRows } from '../state/user-rows.js';
import { readDisks } from './disks.js';
import { EXPOSITION_TYPE } from './exposition.js';
import { formatMetrics } from './metrics.js';

/** Connections at the same time, of browsers and of what watches. */
const MAX_CONNECTIONS = 64;
/** The longest request: its head is bounded by node. */
const MAX_BODY = 16 * 1024;
/** Milliseconds that a request may take to arrive. */
const REQUEST_MS = 10_000;

export interface WebOptions {
  /** `host` undefined: all addresses. */
  readonly listen: { readonly host: string | undefined; readonly port: number };
  readonly state: State;
  /** Absolute: the directory of the homes. */
  readonly homes: string;
  readonly ask: Ask;
  readonly onError: (error: unknown, what: string) => void;
}

export interface WebServer {
  /** http://HOST:PORT */
  readonly url: string;
  close(): Promise<void>;
}

/** Throws a Failure where it cannot listen. */
export async function startWeb(options: WebOptions): Promise<WebServer> {
  const { listen, state, homes, ask, onError } = options;
  const web = fastify({
    logger: false,
    bodyLimit: MAX_BODY,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: true,
  });
  web.server.maxConnections = MAX_CONNECTIONS;

  web.setErrorHandler((thrown: Error & { statusCode?: number }, request, reply) => {
    const status = thrown.statusCode ?? 500;
    if (status >= 500) onError(thrown, `${request.method} ${request.routeOptions.url ?? 'of nothing'}`);
    return reply
      .code(status)
      .type('text/plain')
      .send(status >= 500 ? 'internal error\n' : 'bad request\n');
  });

  web.get('/healthz', async (_, reply) => {
    const { silentWorkers } = await ask({ type: 'status' });
    const silent = silentWorkers.map((worker) => `worker ${worker} does not answer\n`);
    return reply
      .code(silent.length === 0 ? 200 : 503)
      .type('text/plain')
      .send(silent.length === 0 ? 'ok\n' : silent.join(''));
  });

  web.get('/metrics', async (_, reply) => {
    const [status, measurements, disks] = await Promise.all([
      ask({ type: 'status' }),
      ask({ type: 'measurements' }),
      readDisks({ homes, state: state.paths.directory }),
    ]);
    const users = userRows(state, status);
    return reply.type(EXPOSITION_TYPE).send(formatMetrics({ status, measurements, disks, users }));
  });

  try {
    const { host = '::', port } = listen;
    const url = await web.listen({ host, port });
    return { url, close: () => web.close() };
  } catch (error) {
    const { code, kind } = Failure.from(error);
    const where = `${listen.host ?? 'all addresses'}, port ${listen.port}`;
    throw new Failure(kind, `${where}: ${errnoText(code)}: choose another by --web-listen`, { cause: error });
  }
}
