/**
 * Where a user's own files of the client programs are (XDG Base Directory specification 0.8): keys, known hosts and
 * configuration under $XDG_CONFIG_HOME/ftpmount, what can be lost (states of transfers) under $XDG_STATE_HOME/ftpmount, sockets under
 * $XDG_RUNTIME_DIR/ftpmount.
 */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

const PROGRAM_DIRECTORY = 'ftpmount';

export interface ClientFiles {
  /** The static private key, 0600. */
  readonly key: string;
  readonly knownHosts: string;
  readonly config: string;
  /** Directory of the states of interrupted transfers. */
  readonly uploads: string;
  /** The lines that were typed at the prompt of ftpctl. */
  readonly history: string;
  /** Directory of the sockets of ftpctl's masters; with the states where a user has no directory for sockets. */
  readonly masters: string;
}

/** The paths; none of them needs to exist. */
export function clientFiles(environment: NodeJS.ProcessEnv = process.env): ClientFiles {
  const config = join(base(environment['XDG_CONFIG_HOME'], '.config'), PROGRAM_DIRECTORY);
  const runtime = environment['XDG_RUNTIME_DIR'] ?? environment['XDG_STATE_HOME'];
  const state = join(base(environment['XDG_STATE_HOME'], '.local/state'), PROGRAM_DIRECTORY);
  return {
    key: join(config, 'key'),
    knownHosts: join(config, 'known_hosts'),
    config: join(config, 'config.toml'),
    uploads: join(state, 'uploads'),
    history: join(state, 'shell-history'),
    masters: join(base(runtime, '.local/state'), PROGRAM_DIRECTORY, 'masters'),
  };
}

/** The specification says that a relative path is invalid and to be ignored. */
function base(variable: string | undefined, otherwise: string): string {
  return variable !== undefined && isAbsolute(variable) ? variable : join(homedir(), otherwise);
}
