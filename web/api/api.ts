/*
 * /api/v1: what the page shows and does, as JSON for programs. openapi.json says what there is.
 *
 * Invariants: but for that document nothing is answered, and nothing is done, but for who shows a token with the scope of the route; the
 * cookie of the page opens nothing here, so that no other site can use it; what is taken and what is told is what the schemas have, and nothing else.
 */
import swagger from '@fastify/swagger';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '../../protocol/failure.js';
import { VERSION } from '../../program/version.js';
import { Administration } from '../../state/administration.js';
import type { ApiToken } from '../../state/api-tokens.js';
import { ShareAdministration } from '../../state/share-administration.js';
import type { WebOptions } from '../options.js';
import { peerOf } from '../peer.js';
import { banRoutes } from './bans.js';
import type { Route } from './route.js';
import { failure, securityOf, securitySchemes } from './schemas.js';
import { groupRoutes, shareRoutes } from './shares.js';
import { statusRoutes } from './status.js';
import { userRoutes } from './users.js';

const PREFIX = '/api/v1';

export function api(web: FastifyInstance, options: WebOptions): void {
  void web.register(
    async (scope) => {
      await scope.register(swagger, {
        openapi: {
          openapi: '3.1.0',
          info: {
            title: 'ftpmount',
            version: VERSION,
            description: 'Administers an ftpmountd. Sizes are bytes, times ISO 8601 in UTC.',
          },
          servers: [{ url: '/' }],
          components: { securitySchemes },
        },
      });
      scope.setSchemaErrorFormatter(([first], part) => {
        const { instancePath = '', message = '', params } = first ?? {};
        const extra: unknown = params?.['additionalProperty'];
        const what = typeof extra === 'string' ? `: '${extra}'` : '';
        return new Error(`${part}${instancePath} ${message}${what}`);
      });
      scope.setErrorHandler((thrown: FastifyError, request, reply) => {
        const { status, kind, message } = explain(thrown);
        if (status === 500)
          options.onError(thrown, `${request.method} ${request.routeOptions.url ?? PREFIX}`);
        return refuse(reply, status, kind, message);
      });
      takeEmptyBodies(scope);
      scope.setNotFoundHandler((_, reply) => refuse(reply, 404, 'HTTP', 'the API has no such address'));
      scope.get('/openapi.json', { schema: { hide: true } }, async () => scope.swagger());
      const tables = [statusRoutes, userRoutes, groupRoutes, shareRoutes, banRoutes];
      for (const route of tables.flatMap((routes) => routes(options))) add(scope, options, route);
    },
    { prefix: PREFIX },
  );
}

function add(scope: FastifyInstance, { state, ask }: WebOptions, route: Route): void {
  const { method, path, query, body, answer } = route;
  const status = answer === undefined ? 204 : route.made === true ? 201 : 200;
  const tokens = new WeakMap<FastifyRequest, ApiToken>();
  scope.route({
    method,
    url: path,
    schema: {
      summary: route.summary,
      security: securityOf(route.scope),
      ...(query === undefined ? {} : { querystring: query }),
      ...(body === undefined ? {} : { body }),
      response: {
        [status]: answer ?? { type: 'null', description: 'done' },
        '4xx': failure,
        '5xx': failure,
      },
    },
    onRequest: async (request, reply) => {
      const token = state.apiTokens.find(bearerOf(request));
      if (token === undefined) {
        reply.header('www-authenticate', 'Bearer');
        return refuse(
          reply,
          401,
          'EACCES',
          'a token that is in force has to be shown: Authorization: Bearer TOKEN',
        );
      }
      if (!token.scopes.includes(route.scope)) {
        const text = `the token ${token.name} has not the scope ${route.scope}: ftpctl token add makes another`;
        return refuse(reply, 403, 'EACCES', text);
      }
      tokens.set(request, token);
    },
    handler: async (request, reply) => {
      const by = `API token ${tokens.get(request)?.name ?? ''} (${peerOf(request)})`;
      const parts = request.params as Readonly<Record<string, string>>;
      const administers = { state, by, ask };
      const result: unknown = await route.act({
        administration: new Administration(administers),
        shareAdministration: new ShareAdministration(administers),
        part: (name) => parts[name] ?? '',
        query: request.query as Readonly<Record<string, string>>,
        body: (request.body ?? {}) as Readonly<Record<string, unknown>>,
      });
      return reply.code(status).send(answer === undefined ? null : result);
    },
  });
}

/** Programs say that what they send is JSON also where they send nothing; whether that will do is for the schema to say. */
function takeEmptyBodies(scope: FastifyInstance): void {
  const parseJson = scope.getDefaultJsonParser('error', 'error');
  scope.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parseJson(request, body, done);
  });
}

function bearerOf({ headers }: FastifyRequest): string {
  return /^Bearer (\S{1,200})$/i.exec(headers.authorization ?? '')?.[1] ?? '';
}

function refuse(reply: FastifyReply, status: number, kind: string, message: string): FastifyReply {
  return reply.code(status).send({ error: { kind, message } });
}

/** What HTTP calls a failure. */
function explain(thrown: FastifyError): { status: number; kind: string; message: string } {
  if (!(thrown instanceof Failure)) {
    const { statusCode: status = 500, message } = thrown;
    if (status < 500) return { status, kind: thrown.validation === undefined ? 'HTTP' : 'EINVAL', message };
    return { status, kind: 'EIO', message: 'internal error: the log of the daemon says more' };
  }
  const { kind, message } = thrown;
  switch (kind) {
    case 'EINVAL':
    case 'USAGE':
    case 'E2BIG':
      return { status: 400, kind, message };
    case 'ENOENT':
      return { status: 404, kind, message };
    case 'EEXIST':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'EACCES':
    case 'EBUSY':
    case 'ENAMETOOLONG':
    case 'EROFS':
      return { status: 409, kind, message };
    case 'EDQUOT':
    case 'ENOSPC':
      return { status: 507, kind, message };
    case 'ETIMEDOUT':
    case 'ECONNREFUSED':
      return { status: 503, kind, message };
    default:
      return { status: 500, kind, message };
  }
}
