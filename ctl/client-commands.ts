/**
 * The command line of what is about this client alone: its key, the servers that it knows, the sessions that it keeps, completion.
 */
import { Argument, type Command } from 'commander';
import { parsePort } from '../client/target.js';
import { SHELLS } from './completed-shells.js';
import { withSessionOptions } from './remote/session-options.js';

/** Its script knows all commands. */
export const COMPLETION = 'completion';

/** Adds them. `end` takes the exit code. */
export function clientCommands(program: Command, end: (exitCode: number) => void): void {
  program
    .command('keygen')
    .description('make the key by which this client logs in without a password')
    .option('--comment <text>', 'a name for the key (default: user@host)')
    .option('--show', 'only show the key that is there')
    .action(async (options) => {
      const { keygen } = await import('./keygen.js');
      end(await keygen(options));
    });

  const knownHosts = program.command('known-hosts').description('servers whose keys this client remembers');
  knownHosts
    .command('list', { isDefault: true })
    .description('list them')
    .action(async () => {
      const { knownHosts: list } = await import('./known-hosts.js');
      end(await list());
    });
  knownHosts
    .command('forget')
    .argument('<host>', 'HOST[:PORT], or an alias')
    .description('forget the key of a server, which may have another one from now on')
    .action(async (host) => {
      const { knownHostsForget } = await import('./known-hosts.js');
      end(await knownHostsForget(host));
    });
  const master = program
    .command('master')
    .description('sessions that are kept for the next command (master-idle in config.toml)');
  master
    .command('list', { isDefault: true })
    .description('list them')
    .action(async () => {
      const { masterList } = await import('./masters.js');
      end(await masterList());
    });
  master
    .command('exit')
    .argument('[server...]', '[USER@]HOST; without one all of them')
    .description('end them: the next command logs in again')
    .option('-p, --port <port>', 'port of the server (default 8083)', parsePort)
    .action(async (servers, options) => {
      const { masterExit } = await import('./masters.js');
      end(await masterExit(servers, options));
    });
  program
    .command(COMPLETION)
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .description('print a script that completes commands, options, known hosts and paths on them')
    .action(async (name) => {
      const { completion } = await import('./completion.js');
      end(await completion(name, program));
    });
  // What these scripts call.
  withSessionOptions(program.command('complete-path', { hidden: true }).argument('<place>'))
    .option('--trash')
    .action(async (place, options) => {
      const { completePath } = await import('./complete-path.js');
      end(await completePath(place, options));
    });
}
