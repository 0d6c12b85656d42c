/*
 * The pages of the administrator and the forms in them.
 *
 * Invariants: but for signing in, nothing is shown to, or done for, who is not signed in; what changes something is a POST with
 * the form token of the session, and not from another site. Each form answers with the way to a page, which shows what came of it.
 *
 * A new password is hashed here, on the main thread: nobody else logs in for some 55 ms, which administrators do now and then.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '../protocol/failure.js';
import { userName } from '../protocol/ids.js';
import { MAX_PASSWORD } from '../protocol/limits.js';
import { describe } from '../program/report.js';
import { noSuchUser } from '../state/accounts.js';
import { Administration, type Limits } from '../state/administration.js';
import { readAudit } from '../state/audit-reading.js';
import { parseBandwidth } from '../state/bandwidth.js';
import type { DaemonStatus } from '../state/control.js';
import { homesOf } from '../state/home-list.js';
import { lastLogins } from '../state/last-logins.js';
import type { NewCredential } from '../state/new-credential.js';
import { parseCount, parseSize } from '../state/sizes.js';
import { parseTrashTime } from '../state/trash-time.js';
import { formatEnd, parseEnd, parseSpan } from '../state/times.js';
import { ShareAdministration } from '../state/share-administration.js';
import { trashSite } from './trash-site.js';
import { userRows } from '../state/user-rows.js';
import { readDisks } from './disks.js';
import { formsOf, nameIn, type Parameters, type Site } from './forms.js';
import type { History } from './history.js';
import type { WebOptions } from './options.js';
import { auditPage } from './pages/audit.js';
import { bansPage } from './pages/bans.js';
import { dashboard } from './pages/dashboard.js';
import { framed, loginPage } from './pages/frame.js';
import { uploadsPage } from './pages/uploads.js';
import { userPage } from './pages/user.js';
import { usersPage } from './pages/users.js';
import { BY_SOCKET, peerOf } from './peer.js';
import { REFRESH } from './refresh.js';
import { shareSite } from './share-site.js';
import { isOwnForm, SignIns } from './sign-in.js';
import { STYLE } from './style.js';

/** Entries of the audit trail on a page. */
const MAX_ENTRIES = 200;

const HTML = 'text/html; charset=utf-8';

export interface SiteOptions {
  readonly history: History;
  /** By what the administrator gets in: the password, or by reaching the page at all. */
  readonly signIn: 'password' | 'socket';
}

export function site(web: FastifyInstance, options: WebOptions, { history, signIn }: SiteOptions): void {
  const { state, homes, ask, checkPassword, onError } = options;
  const signIns = new SignIns(signIn === 'socket' ? () => '' : () => state.webPasswordHash);

  web.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    async (_: FastifyRequest, body: string) => new URLSearchParams(body),
  );

  const constant = (path: string, type: string, text: string): void => {
    web.get(path, async (_, reply) => reply.type(type).send(text));
  };
  constant('/style.css', 'text/css; charset=utf-8', STYLE);
  constant('/refresh.js', 'text/javascript; charset=utf-8', REFRESH);

  const page: Site['page'] = (path, place, render) => {
    web.get(path, async (request, reply) => {
      const session = signIns.find(request.headers.cookie);
      if (session === undefined) return reply.redirect('/login', 303);
      try {
        return await reply.type(HTML).send(framed(await render(session, request), session, place));
      } catch (error) {
        const { kind } = Failure.from(error);
        if (kind !== 'ENOENT' && kind !== 'EINVAL') throw error;
        // Who sent a form of what is gone meanwhile learns that, on the page of the others.
        if (session.notice !== undefined && path !== place) return reply.redirect(place, 303);
        return reply.callNotFound();
      }
    });
  };

  const action: Site['action'] = (path, next, act) => {
    web.post(path, async (request, reply) => {
      const fields = fieldsOf(request);
      const session = signIns.find(request.headers.cookie);
      if (session === undefined) return reply.redirect('/login', 303);
      if (isFromElsewhere(request) || !isOwnForm(session, fields.get('token') ?? '')) return refuse(reply);
      const by = `web page (${session.address})`;
      const parameters = request.params as Parameters;
      try {
        const parts = { state, by, ask };
        const administrations = {
          accounts: new Administration(parts),
          shares: new ShareAdministration(parts),
        };
        const text = await act(administrations, fields, parameters);
        session.notice = { text, failed: false };
      } catch (error) {
        if (Failure.from(error).kind === 'EIO') onError(error, `POST ${path}`);
        session.notice = { text: describe(error), failed: true };
      }
      return reply.redirect(next(parameters, fields), 303);
    });
  };

  web.get('/login', async (_, reply) =>
    signIn === 'socket'
      ? reply.header('set-cookie', signIns.open(BY_SOCKET)).redirect('/', 303)
      : reply.type(HTML).send(loginPage(undefined)),
  );
  web.post('/login', async (request, reply) => {
    if (signIn === 'socket') return reply.redirect('/login', 303);
    const password = fieldsOf(request).get('password') ?? '';
    const address = peerOf(request);
    if (isFromElsewhere(request)) return refuse(reply);
    try {
      if (Buffer.byteLength(password) > MAX_PASSWORD) throw new Failure('EKEYREJECTED', 'wrong password');
      await checkPassword(password, address);
    } catch (error) {
      const text = Failure.from(error).kind === 'EKEYREJECTED' ? 'Wrong password.' : describe(error);
      return reply
        .code(403)
        .type(HTML)
        .send(loginPage({ text, failed: true }));
    }
    return reply.header('set-cookie', signIns.open(address)).redirect('/', 303);
  });
  web.post('/logout', async (request, reply) => {
    const session = signIns.find(request.headers.cookie);
    const token = fieldsOf(request).get('token') ?? '';
    if (session !== undefined && !isOwnForm(session, token)) return refuse(reply);
    return reply.header('set-cookie', signIns.close(request.headers.cookie)).redirect('/login', 303);
  });

  const status = (): Promise<DaemonStatus> => ask({ type: 'status' });

  page('/', '/', async () => {
    const disks = await readDisks({ homes, state: state.paths.directory });
    return dashboard({ status: await status(), disks, samples: history.samples });
  });
  page('/users', '/users', async (session) => {
    const now = await status();
    return usersPage(userRows(state, now), lastLogins(state.paths, now), state.userDefaults, session);
  });
  page('/users/:name', '/users', async (session, request) => {
    const name = nameIn(request.params, userName);
    const now = await status();
    const row = userRows(state, now).find(({ account }) => account.name === name);
    if (row === undefined) throw noSuchUser(name);
    return userPage(
      row,
      lastLogins(state.paths, now)(row.account),
      now.sessions.filter(({ user }) => user === name),
      session,
    );
  });
  page('/uploads', '/uploads', () =>
    uploadsPage(
      homesOf(state).flatMap(({ name }) =>
        state.uploads.list(name).map(({ record }) => ({ home: name, record })),
      ),
    ),
  );
  shareSite({ page, action }, options);
  trashSite({ page, action }, options);
  page('/bans', '/bans', (session) => bansPage(state.bans.list(), session));
  page('/audit', '/audit', async (_, request) => {
    const { user = '', text = '' } = request.query as Partial<Record<string, unknown>>;
    const filter = { user: String(user), text: String(text), limit: MAX_ENTRIES };
    return auditPage(await readAudit(state.paths, filter), filter);
  });

  action(
    '/users',
    () => '/users',
    async ({ accounts }, fields) => {
      const name = userName(fields.get('name') ?? '');
      const user = {
        ...limitsIn(fields),
        expiresAt: parseEnd(fields.get('expires') ?? 'never'),
        posixOwners: false,
        adopt: false,
        credential: credentialIn(fields),
      };
      await accounts.addUser(name, user);
      return `User ${name} added.`;
    },
  );
  const onBans = (
    path: string,
    act: (administration: Administration, network: string, fields: URLSearchParams) => Promise<string>,
  ): void =>
    action(
      path,
      () => '/bans',
      ({ accounts }, fields) => act(accounts, fields.get('network') ?? '', fields),
    );
  onBans('/bans', async (administration, text, fields) => {
    const { network, closedSessions } = await administration.ban(text, parseEnd(fields.get('until') ?? ''));
    return `${network} is banned; sessions that ended: ${closedSessions}.`;
  });
  onBans('/bans/remove', async (administration, text) => {
    return `${await administration.unban(text)} is not banned any more.`;
  });
  const ofUser = formsOf(action, '/users', userName);
  ofUser('limits', async ({ accounts }, name, fields) => {
    await accounts.changeUser(name, limitsIn(fields));
    return 'Limits changed.';
  });
  ofUser('expires', async ({ accounts }, name, fields) => {
    const { expiresAt } = await accounts.changeUser(name, {
      expiresAt: parseEnd(fields.get('expires') ?? ''),
    });
    return `Logins until: ${formatEnd(expiresAt)}.`;
  });
  ofUser('password', async ({ accounts }, name, fields) => {
    const password = fields.get('password') ?? '';
    await accounts.setPassword(name, async () => ({ password }), false);
    return 'Password changed.';
  });
  ofUser('keys', async ({ accounts }, name, fields) => {
    return `Key ${await accounts.addKey(name, fields.get('key') ?? '')} added.`;
  });
  ofUser('keys/remove', async ({ accounts }, name, fields) => {
    return `Key ${await accounts.removeKey(name, fields.get('key') ?? '')} removed.`;
  });
  ofUser('disconnect', async ({ accounts }, name) => {
    return `Sessions ended: ${await accounts.disconnect(name)}.`;
  });
  ofUser('unlock', async ({ accounts }, name) => {
    return `Failed logins forgotten; lockouts that ended: ${await accounts.unlock(name)}.`;
  });
  ofUser('disable', async ({ accounts }, name) => {
    await accounts.changeUser(name, { disabled: true });
    return 'Logins are refused from now on, and the sessions have ended.';
  });
  ofUser('enable', async ({ accounts }, name) => {
    await accounts.changeUser(name, { disabled: false });
    return 'Logins are allowed again.';
  });
}

function fieldsOf({ body }: FastifyRequest): URLSearchParams {
  return body instanceof URLSearchParams ? body : new URLSearchParams();
}

/** Browsers say where a request comes from, over TLS and from this machine. */
function isFromElsewhere({ headers }: FastifyRequest): boolean {
  const from = headers['sec-fetch-site'];
  return from !== undefined && from !== 'same-origin';
}

function refuse(reply: FastifyReply): FastifyReply {
  return reply.code(403).type('text/plain').send('this form is of another session: load the page again\n');
}

/** Throws USAGE. */
function limitsIn(fields: URLSearchParams): Limits {
  const field = (name: string): string => fields.get(name) ?? '';
  return {
    quotaBytes: parseSize(field('quota')),
    maxFiles: parseCount(field('maxFiles')),
    softBytes: parseSize(field('soft')),
    graceMs: parseSpan(field('grace')),
    bandwidth: parseBandwidth(field('bandwidth')),
    trashMs: parseTrashTime(field('trash')),
  };
}

/** None where none was typed. */
function credentialIn(fields: URLSearchParams): NewCredential {
  const password = fields.get('password') ?? '';
  return password === '' ? null : { password };
}
