/** The option of all commands that work on the server's state. */
import type { Command } from 'commander';

export interface StateOptions {
  readonly state?: string;
}

/** Adds the option of StateOptions. */
export function withStateOption(command: Command): Command {
  return command.option(
    '--state <dir>',
    'state directory of the server (default $FTPMOUNT_STATE, else the daemon’s default)',
  );
}
