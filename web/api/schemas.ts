/* The shapes of what the API takes and answers, as JSON Schema: checked by fastify, and shown in its OpenAPI document. */
import { SCOPES, type Scope } from '../../state/api-tokens.js';

type Schema = Readonly<Record<string, unknown>>;

const text = (description: string): Schema => ({ type: 'string', description });
const count = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
const truth = (description: string): Schema => ({ type: 'boolean', description });
const list = (items: Schema): Schema => ({ type: 'array', items });
/** An object of which nothing but these is told, or taken. */
const object = (
  properties: Readonly<Record<string, Schema>>,
  required = Object.keys(properties),
): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});
const orNull = (schema: Schema): Schema => ({ ...schema, type: [schema['type'], 'null'] });

const time = (description: string): Schema => ({
  ...text(`${description}, ISO 8601 in UTC`),
  examples: ['2027-01-31T18:00:00.000Z'],
});
const size = (description: string): Schema => ({
  type: ['integer', 'string'],
  description: `${description}; 0 is no limit. As text with K, M, G or T, powers of 1024`,
  examples: ['5G', 1_048_576],
});
const END = 'a date (2027-01-31), a point in time (ISO 8601), a span from now (90d), or never';

/** Of what is set: empty it would be passed over, as a cell of a file is. */
const set = (schema: Schema): Schema => ({ ...schema, minLength: 1 });

/** What may be set of a user by whoever makes or changes one. */
const settings = {
  quota: set(size('bytes of the home')),
  maxFiles: count('files of the home; 0 is no limit'),
  soft: set(size('bytes that may be passed for the time of grace')),
  grace: { ...set(text('that time')), examples: ['12h', '7d'] },
  bandwidth: set(size('bytes a second that come and go')),
  trash: { ...set(text('how long what is removed is kept, or off')), examples: ['30d'] },
  expires: set(text(`until when the user may log in: ${END}`)),
  disabled: truth('logins are refused'),
  posixOwners: truth('owner, group, full mode and devices of files are kept'),
};
const credential = {
  password: set(text('for logins')),
  passwordHash: set(text('an Argon2id hash instead of it')),
};
const keys = list(text('a public key, as ftpctl keygen prints it'));
const use = object({ bytes: count('bytes, without those in the trash'), files: count('files, the same') });

export const newUser = object({ name: text('the name'), ...settings, keys, ...credential }, ['name']);
export const changes = { ...object(settings, []), minProperties: 1 };
export const user = object(
  {
    name: text('the name'),
    quota: count('bytes; 0 is no limit'),
    maxFiles: count('files; 0 is no limit'),
    soft: count('bytes that may be passed for the time of grace; missing: there is none'),
    grace: text('that time'),
    bandwidth: count('bytes a second; missing: no limit'),
    trash: text('how long what is removed is kept, or off'),
    expires: text('ISO 8601 in UTC, or never'),
    disabled: truth('logins are refused'),
    posixOwners: truth('files have owners of their own'),
    keys,
    password: truth('there is one'),
    use: { ...orNull(use), description: 'null: never counted' },
    sessions: count('sessions that are open'),
    lastLogin: orNull(time('the last login')),
    createdAt: time('when the account was made'),
  },
  [],
);
export const users = list(user);
export const password = object({ password: orNull(text('the new one; null: login by key only')) });
export const key = object({ key: text('a public key, as ftpctl keygen prints it') });
export const fingerprint = object({ fingerprint: text('SHA256:...') });
export const closedSessions = object({ closedSessions: count('sessions that ended') });
export const emptiedTrash = object({
  bytes: count('bytes that were in it'),
  files: count('files that were'),
});
export const trashQuery = object({ from: text('where the page begins: next of the one before') }, []);
export const trash = object({
  items: list(
    object({
      id: text('of the item'),
      path: orNull(text('where it was; null: not known')),
      bytes: count('bytes'),
      removedAt: time('when it was removed'),
    }),
  ),
  next: orNull(text('where the next page begins; null: there is none')),
});
export const trashId = object({ id: text('of the item') });
export const trashPath = object({ path: text('where it was') });
export const liftedLockouts = object({ lifted: count('lockouts that ended') });

const access = { type: 'string', enum: ['ro', 'rw'], description: 'what its users may do' };
const grants = {
  type: 'object',
  additionalProperties: access,
  description: 'what groups may do',
  examples: [{ staff: 'rw', guests: 'ro' }],
};
const shareLimits = {
  quota: set(size('bytes of the share')),
  maxFiles: count('files of the share; 0 is no limit'),
};
const members = list(text('the name of a user'));

export const newShare = object({ name: text('the name'), ...shareLimits, grants }, ['name', 'grants']);
export const shareChanges = {
  ...object(
    {
      ...shareLimits,
      grants: {
        ...grants,
        additionalProperties: { type: ['string', 'null'], enum: ['ro', 'rw', null] },
        description:
          'what groups may do from now on; null: nothing any more. Groups that are not there keep what they have',
      },
    },
    [],
  ),
  minProperties: 1,
};
export const share = object({
  name: text('the name'),
  quota: count('bytes; 0 is no limit'),
  maxFiles: count('files; 0 is no limit'),
  grants,
  use: { ...orNull(use), description: 'null: never counted' },
  sessions: count('sessions that are open'),
  createdAt: time('when the share was made'),
});
export const shares = list(share);

export const newGroup = object({ name: text('the name'), members }, ['name']);
export const groupChanges = { ...object({ add: members, remove: members }, []), minProperties: 1 };
export const group = object({
  name: text('the name'),
  members,
  shares: { ...grants, description: 'what the group may do in shares', examples: [{ team: 'rw' }] },
});
export const groups = list(group);

export const newBan = object({ network: text('192.0.2.7 or 2001:db8::/32'), until: text(END) }, ['network']);
export const ban = object({
  network: text('as it is kept'),
  since: time('the beginning'),
  until: orNull(time('the end; null: for ever')),
});
export const bans = list(ban);
export const madeBan = object({
  network: text('as it is kept'),
  closedSessions: count('sessions that ended'),
});

const activity = object({
  requests: count('calls'),
  bytesReceived: count('bytes from the client'),
  bytesSent: count('bytes to the client'),
});
export const session = object({
  user: text('whose'),
  share: orNull(text("the share whose home it is of; null: the user's own")),
  peer: text('ADDRESS:PORT'),
  program: text("the client's program and version, as it says"),
  since: time('the beginning'),
  activity: { ...orNull(activity), description: 'null: its worker does not answer' },
});
export const sessions = list(session);
export const status = object({
  version: text('of the daemon'),
  address: text('where it listens'),
  startedAt: time('its start'),
  workers: count('threads that serve homes'),
  silentWorkers: list(count('the number of one that does not answer')),
  sessions: count('that are open'),
  bandwidth: count('bytes a second of all users together; 0 is no limit'),
  maxSessions: count('that may be open'),
  queued: count('clients that wait for one'),
  maxQueue: count('that may wait'),
});

export const auditQuery = object(
  {
    user: text('entries of this user'),
    text: text('entries that have this in them, in upper or lower case'),
    before: { ...time('entries that are older: the time of the last one that was got'), format: 'date-time' },
    limit: { ...text('how many at most, 1 to 1000 (200)'), pattern: '^([1-9][0-9]{0,2}|1000)$' },
  },
  [],
);
export const audit = list(
  object({
    time: time('when'),
    what: text('what happened'),
    user: orNull(text('whose account')),
    details: { type: 'object', additionalProperties: true, description: 'all else that is known' },
  }),
);

export const failure = object({
  error: object({ kind: text('the name of an errno, USAGE, or HTTP'), message: text('for people') }),
});

/** Of OpenAPI: how a token is shown, and which scopes there are. */
export const securitySchemes = {
  token: { type: 'http', scheme: 'bearer', description: `ftpctl token add; scopes: ${SCOPES.join(', ')}` },
} as const;
export const securityOf = (scope: Scope): { token: string[] }[] => [{ token: [scope] }];
