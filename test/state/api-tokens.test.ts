/* Tokens of the API: kept as hashes, found while they are in force, by one name each. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { hasExpired, MAX_TOKENS, parseScope, type ApiToken } from '../../state/api-tokens.js';
import { openState } from '../../state/store.js';
import { temporaryDirectory } from '../lib/directory.js';

const state = openState(temporaryDirectory(t));
t.teardown(() => state.close());

function tokenOf(name: string, expiresAt: number | null = null): ApiToken {
  return { name, scopes: ['users:read'], createdAt: Date.now(), expiresAt };
}

t.test('a token is found by itself alone, and is not in the state', async (t) => {
  const token = state.apiTokens.add(tokenOf('deploy'));
  t.match(token, /^ftpmount-[\w-]{43}$/);
  t.match(state.apiTokens.find(token), { name: 'deploy', scopes: ['users:read'] });
  for (const other of ['', 'deploy', `${token}x`, token.slice(0, -1)]) {
    t.equal(state.apiTokens.find(other), undefined, other);
  }
  const secret = token.slice('ftpmount-'.length);
  t.notOk(readFileSync(state.paths.database).includes(secret));
  t.throws(() => state.apiTokens.add(tokenOf('deploy')), { name: 'Failure', kind: 'EEXIST' });
  state.apiTokens.remove('deploy');
  t.equal(state.apiTokens.find(token), undefined);
  t.throws(() => state.apiTokens.remove('deploy'), { name: 'Failure', kind: 'ENOENT' });
});

t.test('one that has expired opens nothing, and is listed', async (t) => {
  const ended = state.apiTokens.add(tokenOf('ended', Date.now() - 1));
  t.equal(state.apiTokens.find(ended), undefined);
  t.strictSame(state.apiTokens.list().map(hasExpired), [true]);
  state.apiTokens.remove('ended');
});

t.test('names, scopes and their number', async (t) => {
  for (const name of ['', '-x', 'a b', 'x\n', 'x'.repeat(65)]) {
    t.throws(
      () => state.apiTokens.add(tokenOf(name)),
      { name: 'Failure', kind: 'EINVAL' },
      JSON.stringify(name),
    );
  }
  t.equal(parseScope('bans:write'), 'bans:write');
  t.throws(() => parseScope('bans'), { name: 'Failure', kind: 'USAGE' });
  for (let count = 0; count < MAX_TOKENS; count++) state.apiTokens.add(tokenOf(`t${count}`));
  t.throws(() => state.apiTokens.add(tokenOf('more')), { name: 'Failure', kind: 'E2BIG' });
});
