/** `ftpctl shareadd NAME --group G --rw --quota 50G` makes a share; `ftpctl sharemod NAME` changes one. */
import { Failure } from '../../protocol/failure.js';
import { formatLimit } from '../../state/sizes.js';
import { describeGrants, type ShareSettings } from '../../state/share-administration.js';
import type { Grant, ShareRecord } from '../../state/shares.js';
import { MISSING_QUOTA } from '../../state/user-record.js';
import { writeOut } from '../output/stdout.js';
import { accessOf, groupArgument, shareArgument, type AccessOptions } from './share-arguments.js';
import { administerShares } from './state-access.js';
import type { StateOptions } from './state-option.js';

interface LimitOptions {
  /** Bytes; 0: no limit. */
  readonly quota?: number;
  readonly maxFiles?: number;
}

export interface ShareaddOptions extends StateOptions, LimitOptions, AccessOptions {
  readonly group?: string;
  /** The home may be there already. */
  readonly adopt?: boolean;
}

export interface SharemodOptions extends StateOptions, LimitOptions, AccessOptions {
  readonly group?: string;
  /** The group is granted nothing any more. */
  readonly none?: boolean;
}

/** Returns the exit code. */
export async function shareadd(text: string, options: ShareaddOptions): Promise<number> {
  const name = shareArgument(text);
  const access = accessOf(options);
  if (options.group === undefined || access === undefined) {
    throw new Failure('USAGE', 'say for whom, and what they may do: --group GROUP with --ro or --rw');
  }
  const grants: Grant[] = [{ group: groupArgument(options.group), access }];
  const { adopt = false } = options;
  await administerShares(options, async (administration, state) => {
    const { quotaBytes, maxFiles } = { ...state.userDefaults, ...limitsOf(options) };
    if (quotaBytes === undefined) throw new Failure('USAGE', MISSING_QUOTA);
    await administration.addShare(name, { quotaBytes, maxFiles, grants, adopt });
    await writeOut(`share ${name} added, quota ${formatLimit(quotaBytes)}, for ${describeGrants(grants)}\n`);
  });
  return 0;
}

/** Returns the exit code. */
export async function sharemod(text: string, options: SharemodOptions): Promise<number> {
  const name = shareArgument(text);
  const settings: ShareSettings = { ...limitsOf(options), ...grantOf(options) };
  if (Object.keys(settings).length === 0) {
    throw new Failure(
      'USAGE',
      'say what to change: --quota, --max-files, or --group with --ro, --rw or --none',
    );
  }
  const record = await administerShares(options, (administration) =>
    administration.changeShare(name, settings),
  );
  await writeOut(`${describe(record)}\n`);
  return 0;
}

function limitsOf({ quota, maxFiles }: LimitOptions): Partial<Pick<ShareRecord, 'quotaBytes' | 'maxFiles'>> {
  return {
    ...(quota === undefined ? {} : { quotaBytes: quota }),
    ...(maxFiles === undefined ? {} : { maxFiles }),
  };
}

function grantOf({ group, none, ...options }: SharemodOptions): Pick<ShareSettings, 'grants'> {
  const access = accessOf(options);
  if (group === undefined) {
    if (access === undefined && none !== true) return {};
    throw new Failure('USAGE', 'say which group: --group GROUP');
  }
  if ((access === undefined) === (none !== true)) {
    throw new Failure('USAGE', 'say what the group may do: one of --ro, --rw and --none');
  }
  return { grants: [{ group: groupArgument(group), access }] };
}

function describe({ name, quotaBytes, maxFiles, grants }: ShareRecord): string {
  const files = maxFiles === 0 ? 'none' : String(maxFiles);
  const whose = grants.length === 0 ? 'for nobody' : `for ${describeGrants(grants)}`;
  return `share ${name}: quota ${formatLimit(quotaBytes)}, limit of files ${files}, ${whose}`;
}
