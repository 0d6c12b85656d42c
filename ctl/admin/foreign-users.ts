/**
 * Users of other programs, as rows of a file of users (user-records.ts). What is of no use here is left out: SSH keys, and hashes of
 * passwords that are not Argon2id.
 */
import { Failure } from '../../protocol/failure.js';
import { isPasswordHash } from '../../state/password.js';
import { formatEnd } from '../../state/times.js';
import type { Fields } from '../../state/user-record.js';
import { objectOf, parseJson, type Row } from './user-records.js';

/** People's: below are the system's, above is nobody (Debian's policy, 9.2.2). */
const FIRST_UID = 1000;
const LAST_UID = 59_999;
const PASSWD_FIELDS = 7;

/** What they are called at the command line. */
export type ForeignFormat = 'passwd' | 'sftpgo';

/** They throw EINVAL. */
export const FORMATS: Readonly<Record<ForeignFormat, (text: string) => Row[]>> = {
  passwd: passwdRows,
  sftpgo: sftpgoRows,
};

/** passwd(5). The hashes are elsewhere, and of other kinds. */
function passwdRows(text: string): Row[] {
  return text.split('\n').flatMap((entry, index) => {
    // What begins with a sign is of NIS.
    if (/^$|^[+-]/.test(entry)) return [];
    const fields = entry.split(':');
    const [name, , uid] = fields;
    const isEntry = fields.length === PASSWD_FIELDS;
    const isPerson = Number(uid) >= FIRST_UID && Number(uid) <= LAST_UID;
    if (isEntry && !isPerson) return [];
    return [{ line: index + 1, fields: () => (isEntry ? { name } : noEntry()) }];
  });
}

function noEntry(): never {
  throw new Failure('EINVAL', `it is no line of passwd(5), which has ${PASSWD_FIELDS} fields`);
}

/** The JSON of `sftpgo`'s dumpdata. */
function sftpgoRows(text: string): Row[] {
  const { users } = objectOf(parseJson(text));
  if (!Array.isArray(users)) throw new Failure('EINVAL', 'there is no list of users in it');
  return users.map((user: unknown, index) => ({
    line: index + 1,
    fields: () => fieldsOfSftpgo(objectOf(user)),
  }));
}

function fieldsOfSftpgo(user: Fields): Fields {
  const { username, password, quota_size: quota, quota_files: maxFiles, status, expiration_date: end } = user;
  return {
    name: username,
    // There 0 is no limit, as here.
    ...(typeof quota === 'number' ? { quota } : {}),
    ...(typeof maxFiles === 'number' ? { maxFiles } : {}),
    ...(typeof end === 'number' && end > 0 ? { expires: formatEnd(end) } : {}),
    disabled: status === 0,
    ...(typeof password === 'string' && isPasswordHash(password) ? { passwordHash: password } : {}),
  };
}
