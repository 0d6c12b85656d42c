/**
 * `ftpctl quota check [--repair] [NAME]`: compares what is charged to users with what their homes hold. A running daemon
 * does it; else it is done here, with the lock of the state held, so that no daemon starts meanwhile.
 */
import { Failure } from '../../protocol/failure.js';
import { noSuchUser } from '../../state/accounts.js';
import { EXIT_FAILURE, EXIT_OK } from '../../protocol/login/exit-codes.js';
import { askDaemon } from '../../state/control.js';
import type { QuotaReport } from '../../state/ledger.js';
import { lockState } from '../../state/lock.js';
import { writeOut } from '../output/stdout.js';
import { countHome } from './count-home.js';
import { stateDirectory, userArgument, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface QuotaCheckOptions extends StateOptions {
  /** Charge what the tree holds. */
  readonly repair?: boolean;
  readonly json?: boolean;
}

/** Returns the exit code: that of a failure where something differs and is not repaired. */
export async function quotaCheck(text: string | undefined, options: QuotaCheckOptions): Promise<number> {
  const name = text === undefined ? null : userArgument(text);
  const repair = options.repair === true;
  const directory = stateDirectory(options);
  const reports =
    (await askDaemon(directory, { type: 'quotaCheck', name, repair })) ??
    (await checkStopped(directory, name, options));
  for (const report of reports) {
    await writeOut(`${options.json === true ? JSON.stringify(report) : line(report)}\n`);
  }
  return reports.some((report) => differs(report) && !report.repaired) ? EXIT_FAILURE : EXIT_OK;
}

function line(report: QuotaReport): string {
  const { user, ledger, tree, uploads, repaired } = report;
  const ofUploads =
    uploads.files === 0 ? '' : ` (partial uploads: ${uploads.bytes} bytes, ${uploads.files} files)`;
  const charge = `${user}: charged ${ledger.bytes} bytes, ${ledger.files} files${ofUploads}`;
  if (!differs(report)) return `${charge}: right`;
  const advice = repaired ? 'repaired' : 'repair it with --repair';
  return `${charge}, but the home holds ${tree.bytes} bytes, ${tree.files} files: ${advice}`;
}

function differs({ ledger, tree }: QuotaReport): boolean {
  return ledger.bytes !== tree.bytes || ledger.files !== tree.files;
}

async function checkStopped(
  directory: string,
  name: ReturnType<typeof userArgument> | null,
  options: QuotaCheckOptions,
): Promise<QuotaReport[]> {
  return withState(options, 'change', async ({ accounts, ledger, homes }) => {
    const lock = lockState(directory);
    try {
      const users = accounts.list().filter((account) => name === null || account.name === name);
      if (name !== null && users.length === 0) throw noSuchUser(name);
      if (homes === undefined)
        throw new Failure('ENOENT', 'there are no homes yet: no daemon ran on this state');
      const reports: QuotaReport[] = [];
      for (const { name: user } of users) {
        const entry = ledger.read(user);
        const { tree, uploads } = await countHome(homes, user);
        // A home that nobody ever opened is not in the ledger, and is counted when it is.
        const { bytes, files } = entry ?? tree;
        const report = { user, ledger: { bytes, files }, tree, uploads, repaired: false };
        const repaired = options.repair === true && differs(report);
        // Not clean: nothing was synced here. The daemon counts it when it starts.
        if (repaired) ledger.write(user, { ...entry, ...tree }, false);
        reports.push({ ...report, repaired });
      }
      return reports;
    } finally {
      lock.release();
    }
  });
}
