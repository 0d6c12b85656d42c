/**
 * `ftpctl quota check [--repair] [NAME]`: has the daemon compare what is charged to homes with what they hold. Only the
 * daemon counts: where none runs nobody is charged, and the next one counts by itself what it does not know for certain.
 */
import { EXIT_FAILURE, EXIT_OK } from '../../protocol/login/exit-codes.js';
import type { QuotaReport } from '../../state/ledger.js';
import { writeOut } from '../output/stdout.js';
import { homeArgument, requireDaemon } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface QuotaCheckOptions extends StateOptions {
  /** Charge what the tree holds. */
  readonly repair?: boolean;
  readonly json?: boolean;
}

/** Returns the exit code: that of a failure where something differs and is not repaired. */
export async function quotaCheck(text: string | undefined, options: QuotaCheckOptions): Promise<number> {
  const name = text === undefined ? null : homeArgument(text);
  const repair = options.repair === true;
  const reports = await requireDaemon(options, { type: 'quotaCheck', name, repair });
  for (const report of reports) {
    await writeOut(`${options.json === true ? JSON.stringify(report) : line(report)}\n`);
  }
  return reports.some((report) => differs(report) && !report.repaired) ? EXIT_FAILURE : EXIT_OK;
}

function line(report: QuotaReport): string {
  const { home, ledger, tree, uploads, trash, repaired } = report;
  const ofUploads =
    uploads.files === 0 ? '' : ` (partial uploads: ${uploads.bytes} bytes, ${uploads.files} files)`;
  const ofTrash = trash.files === 0 ? '' : ` (trash: ${trash.bytes} bytes, ${trash.files} files)`;
  const charge = `${home}: charged ${ledger.bytes} bytes, ${ledger.files} files${ofUploads}${ofTrash}`;
  if (!differs(report)) return `${charge}: right`;
  const advice = repaired ? 'repaired' : 'repair it with --repair';
  return `${charge}, but the home holds ${tree.bytes} bytes, ${tree.files} files: ${advice}`;
}

function differs({ ledger, tree }: QuotaReport): boolean {
  return ledger.bytes !== tree.bytes || ledger.files !== tree.files;
}
