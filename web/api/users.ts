/* Users, as the API has them: the fields are those of files of users (state/user-record.ts), and what is known of them besides. */
import { userName, type UserName } from '../../protocol/ids.js';
import { noSuchUser, type Account } from '../../state/accounts.js';
import { lastLogins } from '../../state/last-logins.js';
import { fieldsOf, newUserOf, partOfRecord, recordOf, settingsOf } from '../../state/user-record.js';
import { userRows, type UserRow } from '../../state/user-rows.js';
import type { WebOptions } from '../options.js';
import type { Call, Route } from './route.js';
import * as schema from './schemas.js';

export function userRoutes({ state, ask }: WebOptions): Route[] {
  const all = async (): Promise<unknown[]> => {
    const status = await ask({ type: 'status' });
    const lastLogin = lastLogins(state.paths, status);
    return userRows(state, status).map((row) => userOf(row, lastLogin(row.account)));
  };
  const one = async (name: UserName): Promise<unknown> => {
    const status = await ask({ type: 'status' });
    const row = userRows(state, status).find(({ account }) => account.name === name);
    if (row === undefined) throw noSuchUser(name);
    return userOf(row, lastLogins(state.paths, status)(row.account));
  };
  return [
    {
      ...{ method: 'GET', path: '/users', scope: 'users:read', summary: 'All users, by name' },
      answer: schema.users,
      act: all,
    },
    {
      ...{ method: 'POST', path: '/users', scope: 'users:write', summary: 'Makes a user' },
      ...{ body: schema.newUser, answer: schema.user, made: true },
      act: async ({ administration, body }) => {
        const record = recordOf(body);
        await administration.addUsers([newUserOf(record, state.userDefaults)]);
        return one(record.name);
      },
    },
    {
      ...{ method: 'GET', path: '/users/:name', scope: 'users:read', summary: 'One user' },
      answer: schema.user,
      act: (call) => one(nameIn(call)),
    },
    {
      ...{ method: 'PATCH', path: '/users/:name', scope: 'users:write' },
      summary: 'Changes settings; open sessions follow at once',
      ...{ body: schema.changes, answer: schema.user },
      act: async (call) => {
        const name = nameIn(call);
        await call.administration.changeUser(name, settingsOf(partOfRecord(call.body)));
        return one(name);
      },
    },
    {
      ...{ method: 'DELETE', path: '/users/:name', scope: 'users:write' },
      summary: 'Removes a user, whose sessions end; the files of the home stay',
      act: (call) => call.administration.removeUser(nameIn(call), false),
    },
    {
      ...{ method: 'PUT', path: '/users/:name/password', scope: 'users:write', summary: 'Sets the password' },
      body: schema.password,
      act: (call) => {
        const { password } = call.body;
        const credential = typeof password === 'string' ? { password } : null;
        return call.administration.setPassword(nameIn(call), async () => credential, false);
      },
    },
    {
      ...{ method: 'POST', path: '/users/:name/keys', scope: 'users:write', summary: 'Adds a public key' },
      ...{ body: schema.key, answer: schema.fingerprint, made: true },
      act: async (call) => ({
        fingerprint: await call.administration.addKey(nameIn(call), String(call.body['key'])),
      }),
    },
    {
      ...{ method: 'DELETE', path: '/users/:name/keys/:fingerprint', scope: 'users:write' },
      summary: 'Removes a public key',
      act: async (call) => {
        await call.administration.removeKey(nameIn(call), call.part('fingerprint'));
      },
    },
    {
      ...{ method: 'DELETE', path: '/users/:name/sessions', scope: 'users:write' },
      summary: 'Ends the sessions of a user, who may connect again',
      answer: schema.closedSessions,
      act: async (call) => ({ closedSessions: await call.administration.disconnect(nameIn(call)) }),
    },
    {
      ...{ method: 'DELETE', path: '/users/:name/trash', scope: 'users:write' },
      summary: 'Removes for good what the user removed',
      answer: schema.emptiedTrash,
      act: (call) => call.administration.emptyTrash(nameIn(call)),
    },
    {
      ...{ method: 'GET', path: '/users/:name/trash', scope: 'users:read' },
      summary: 'A page of what the user removed, what was removed first before the other',
      ...{ query: schema.trashQuery, answer: schema.trash },
      act: async (call) => {
        const { items, next } = await call.administration.listTrash(nameIn(call), call.query['from'] ?? null);
        const told = items.map(({ removedAt, ...item }) => {
          return { ...item, removedAt: new Date(removedAt).toISOString() };
        });
        return { items: told, next };
      },
    },
    // An id is longer than a part of a path may be.
    {
      ...{ method: 'POST', path: '/users/:name/trash/restore', scope: 'users:write' },
      summary: 'Puts what the user removed back where it was',
      ...{ body: schema.trashId, answer: schema.trashPath },
      act: async (call) => ({
        path: await call.administration.changeTrash(nameIn(call), 'restore', String(call.body['id'])),
      }),
    },
    {
      ...{ method: 'POST', path: '/users/:name/trash/remove', scope: 'users:write' },
      summary: 'Removes for good one of the files that the user removed',
      ...{ body: schema.trashId, answer: schema.trashPath },
      act: async (call) => ({
        path: await call.administration.changeTrash(nameIn(call), 'remove', String(call.body['id'])),
      }),
    },
    {
      ...{ method: 'DELETE', path: '/users/:name/lockouts', scope: 'users:write' },
      summary: 'Forgets the failed logins of a user',
      answer: schema.liftedLockouts,
      act: async (call) => ({ lifted: await call.administration.unlock(nameIn(call)) }),
    },
  ];
}

/** EINVAL. */
function nameIn(call: Call): UserName {
  return userName(call.part('name'));
}

function userOf({ account, use, sessions }: UserRow, lastLogin: number | undefined): unknown {
  return {
    ...fieldsOf(account),
    password: account.passwordHash !== null,
    use: use ?? null,
    sessions,
    lastLogin: lastLogin === undefined ? null : new Date(lastLogin).toISOString(),
    createdAt: createdAt(account),
  };
}

function createdAt(account: Account): string {
  return new Date(account.createdAt).toISOString();
}
