/**
 * `ftpctl useradd NAME --quota 5G`: makes an account. The home is made when the user first logs in.
 *
 * A home of that name that is there already is somebody's files, mostly of an earlier user of the name: it is handed over only
 * where that is asked for (--adopt).
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import { requireKnownHomes } from '../../state/homes-marker.js';
import { writeOut } from '../output/stdout.js';
import { formatLimit } from '../sizes.js';
import { newPasswordHash, type PasswordOptions } from './new-password.js';
import { announce, userArgument, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface UseraddOptions extends StateOptions, PasswordOptions {
  /** Bytes; 0: no limit. */
  readonly quota: number;
  readonly maxFiles?: number;
  readonly posixOwners?: boolean;
  /** The home may be there already. */
  readonly adopt?: boolean;
}

/** Returns the exit code. */
export async function useradd(text: string, options: UseraddOptions): Promise<number> {
  const name = userArgument(text);
  const { quota: quotaBytes, maxFiles = 0, posixOwners = false } = options;
  await withState(options, 'make', async (state) => {
    const { accounts, homes } = state;
    // Before a password is asked for nothing; create() decides.
    if (accounts.get(name) === undefined) {
      if (options.adopt !== true && homes !== undefined) {
        requireKnownHomes(state, homes);
        await refuseLeftHome(join(homes, name), name);
      }
      const passwordHash = await newPasswordHash(name, options);
      accounts.create({
        name,
        quotaBytes,
        maxFiles,
        passwordHash,
        keys: [],
        createdAt: Date.now(),
        disabled: false,
        posixOwners,
      });
    } else {
      throw new Failure('EEXIST', `there is a user ${name} already: change it with usermod`);
    }
    await announce(
      options,
      { action: 'useradd', user: name, details: { quotaBytes, maxFiles, posixOwners } },
      { type: 'accountChanged', name },
    );
  });
  await writeOut(`user ${name} added, quota ${formatLimit(quotaBytes)}\n`);
  return 0;
}

/** EEXIST where there is something. */
async function refuseLeftHome(home: string, name: string): Promise<void> {
  try {
    if ((await readdir(home)).length === 0) return;
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind === 'ENOENT') return;
    // Neither a directory, nor nothing: the daemon would refuse it.
    if (failure.kind !== 'ENOTDIR') throw failure;
  }
  const text = `${home} holds files of an earlier ${name}: remove it, or hand it over with --adopt`;
  throw new Failure('EEXIST', text);
}
