/**
 * The options by which a command logs in.
 */
import type { Command } from 'commander';
import { parsePort } from '../../client/target.js';

/** The options that every command with a server has. */
export interface SessionOptions {
  readonly port?: number;
  readonly passwordFile?: string;
  readonly acceptNew?: boolean;
  /** False: neither use the session that a master keeps nor leave one. */
  readonly master?: boolean;
  /** False: a person is asked neither for a password nor about a key, even where there is a terminal. */
  readonly asks?: boolean;
}

/** Adds the options of SessionOptions. `-p` is the port, but where a command means something else by it (mkdir). */
export function withSessionOptions(command: Command, portFlag = '-p, --port <port>'): Command {
  return command
    .option(portFlag, 'port of the server (default 8083)', parsePort)
    .option('--password-file <file>', 'read the password from the first line of a file; - is standard input')
    .option('--accept-new', 'remember the key of a server that is not known yet, without asking');
}

/** Adds them to a command that a master may serve. */
export function withSharedSessionOptions(command: Command, portFlag?: string): Command {
  return withSessionOptions(command, portFlag).option(
    '--no-master',
    'log in for this command, and keep no session for the next one',
  );
}
