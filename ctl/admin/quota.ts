/**
 * `ftpctl quota check [--repair] [NAME]`: has the daemon compare what is charged to homes with what they hold. Only the
 * daemon counts: where none runs nobody is charged, and the next one counts by itself what it does not know for certain.
 */
import { EXIT_FAILURE, EXIT_OK } from '../../program/exit-codes.js';
import { usesDiffer, type QuotaReport, type Use } from '../../state/ledger.js';
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
  const ofUploads = part('partial uploads', uploads);
  const charge = `${home}: charged ${figures(ledger)}${ofUploads}${part('trash', trash.ledger)}`;
  if (!differs(report)) return `${charge}: right`;
  const advice = repaired ? 'repaired' : 'repair it with --repair';
  return `${charge}, but the home holds ${figures(tree)}${part('trash', trash.tree)}: ${advice}`;
}

function part(name: string, use: Use): string {
  return use.files === 0 ? '' : ` (${name}: ${figures(use)})`;
}

function figures({ bytes, files }: Use): string {
  return `${bytes} bytes, ${files} files`;
}

function differs({ ledger, tree, trash }: QuotaReport): boolean {
  return usesDiffer(ledger, tree) || usesDiffer(trash.ledger, trash.tree);
}
