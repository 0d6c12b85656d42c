/** The command that goes on with an interrupted one: the same, as a person may paste it to a shell. */
import { printable } from '../../program/report.js';
import { PROGRAM } from '../program.js';

const ANEW = '--no-resume';
const PLAIN = /^[\w@%+=:,./-]+$/;
/** What node reads for bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';

/** By the arguments of the one that runs; undefined where a terminal cannot show them as they are. */
export function resumingCommand(args: readonly string[]): string | undefined {
  const end = args.indexOf('--');
  const again = args.filter((arg, index) => arg !== ANEW || (end >= 0 && index > end));
  const command = [PROGRAM, ...again.map(quoted)].join(' ');
  return command.includes(REPLACEMENT) || printable(command) !== command ? undefined : command;
}

function quoted(arg: string): string {
  return PLAIN.test(arg) ? arg : `'${arg.replaceAll("'", String.raw`'\''`)}'`;
}
