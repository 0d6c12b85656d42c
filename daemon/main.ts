/*
 * ftpmountd: the command line, the signals and the order of starting: settings, state directory and its lock, homes, key,
 * logs, then the server. Everything that fails before "listening on" is one line on standard error and an exit code.
 */
import { existsSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { chooseAead } from '../protocol/transport/aead.js';
import { Failure } from '../protocol/failure.js';
import { EXIT_FAILURE, EXIT_OK } from '../program/exit-codes.js';
import { describe, runProgram } from '../program/report.js';
import { readKeyFile, writeKeyFile } from '../protocol/transport/keys.js';
import { optimizeLater } from '../program/optimize-later.js';
import { generateKeyPair, type KeyPair } from '../protocol/transport/x25519.js';
import { VERSION } from '../program/version.js';
import { loadEvp } from '../posix/libcrypto.js';
import { defaultHomes, defaultStateDirectory, preparePrivateDirectory } from '../state/directory.js';
import { beginRun, endRun } from '../state/boot.js';
import { lockHomes, lockState } from '../state/lock.js';
import { requireHomes } from '../state/homes-marker.js';
import { openState, type State } from '../state/store.js';
import type { WebOptions } from '../web/options.js';
import type { WebServer } from '../web/server.js';
import {
  absolute,
  mergeSettings,
  readConfigFile,
  readSettings,
  SETTING_NAMES,
  SETTINGS,
  type Config,
  type GivenSettings,
} from './config.js';
import type { Log } from './log.js';
import { openLog } from './log-file.js';
import { LogRotation, rotationLimits } from './log-rotation.js';
import { replaced } from './program-files.js';
import { runAs } from './run-as.js';
import { Server } from './server.js';
import { ServiceManager } from './service-manager.js';
import { inheritedSocket } from './socket-activation.js';

const PROGRAM = 'ftpmountd';

const HELP = `
The configuration file is TOML; its keys are the names of the options above, without the dashes (web-listen
is also listen in the table [web]):
  max-sessions = 100
  log-level = "warn"
  [web]
  listen = "127.0.0.1:8084"
The command line overrides it. SIGHUP reads it again: the limits and the log level take
effect at once, the rest with the next start. SIGTERM and SIGINT end the daemon, after what is in flight.

The state directory is $FTPMOUNT_STATE where --state is not given, else /var/lib/ftpmount for root,
$XDG_STATE_HOME/ftpmount (~/.local/state/ftpmount) for others. Homes are STATE/homes where --home is not given; for others than
root who name no state $XDG_DATA_HOME/ftpmount/homes (~/.local/share/ftpmount/homes).

When ready it prints one line on standard output: listening on HOST:PORT (and before it, with --web-listen: web page on URL)

Exit codes:
  0    ended by SIGTERM or SIGINT
  1    it could not start (state or homes in use or not writable, port in use), failed, or its
       files were replaced while it ran
  2    wrong command line or configuration
  7    the disk of the state is full`;

function commandLine(): Command {
  const command = new Command(PROGRAM)
    .description('Serves users their private, quota-limited homes over the network.')
    .option('--config <FILE.toml>', 'configuration file')
    .version(VERSION)
    .helpOption('--help', 'show this')
    .addHelpText('after', HELP)
    .allowExcessArguments(false)
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
  for (const name of SETTING_NAMES) {
    const { argument, help, fallback } = SETTINGS[name];
    const shown = help.includes('(default') || typeof fallback === 'object' || fallback === undefined;
    command.option(`--${name} <${argument}>`, shown ? help : `${help} (default: ${fallback})`);
  }
  return command;
}

/** The options as given: --config, and the settings. Undefined where --help or --version was answered. */
function parseArguments(): { configFile: string | undefined; given: GivenSettings } | undefined {
  const command = commandLine();
  try {
    command.parse();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new Failure('USAGE', `${error.message.replace(/^error: |\.$/g, '')}: see ${PROGRAM} --help`);
  }
  const options = command.opts<Record<string, string>>();
  const values: Record<string, string | undefined> = {};
  for (const name of SETTING_NAMES) values[name] = options[camelCase(name)];
  return { configFile: options['config'], given: readSettings(values, (key) => `--${key}`) };
}

/** The name under which commander keeps an option. */
function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

async function main(): Promise<number> {
  const parsed = parseArguments();
  if (parsed === undefined) return EXIT_OK;
  const { configFile, given } = parsed;
  const readConfig = (): Config =>
    mergeSettings(given, configFile === undefined ? {} : readConfigFile(configFile));
  const config = readConfig();
  const stateDirectory = absolute(config.state ?? defaultStateDirectory());
  const homes = absolute(config.home ?? defaultHomes(stateDirectory));
  runAs(config.user, { stateDirectory, homes });
  process.umask(0o077);
  preparePrivateDirectory(stateDirectory, 'state directory');
  preparePrivateDirectory(homes, 'home directory');
  const locks = [lockState(stateDirectory), lockHomes(homes)];
  const rotation = new LogRotation(rotationLimits(config));
  const log = openLog(config['log-file'], config['log-level'], rotation);
  rotation.onFailed((path, error) => log.error({ path, error }, 'a log cannot be moved aside, and grows'));
  const state = openState(stateDirectory);
  const userLog = openLog(state.paths.userLog, 'info', rotation);
  rotation.watch(state.paths.managerLog);
  requireHomes(state, homes);
  beginRun(state);
  noteDefaults(state, config);
  optimizeLater();
  const server = new Server({
    config,
    state,
    homes,
    staticKeyPair: serverKey(state.paths.serverKey),
    aead: chooseAead(loadEvp()),
    version: VERSION,
    log,
    userLog,
    socket: inheritedSocket(),
  });
  const ended = nextSignal();
  process.on('SIGHUP', () => {
    try {
      const changed = readConfig();
      noteDefaults(state, changed);
      server.reload(changed);
      rotation.setLimits(rotationLimits(changed));
    } catch (error) {
      log.error({ error: describe(error) }, 'the configuration is wrong: the former one stays in force');
    }
  });
  const address = await server.start();
  const web = await startWebPage(config, {
    state,
    homes,
    ask: (request) => server.ask(request),
    checkPassword: (password, address) => server.checkAdministrator(password, address),
    log,
  }).catch(async (error: unknown) => {
    await server.shutdown('the web page did not start');
    throw error;
  });
  process.stdout.write(`listening on ${address}\n`);
  const manager = new ServiceManager(log);
  manager.ready();
  const why = await Promise.race([ended, replaced.then(() => undefined)]);
  if (why === undefined) log.error({}, 'the programs were replaced while they ran: start ftpmountd again');
  manager.stopping();
  await web?.close();
  await server.shutdown(
    why === undefined ? 'the server is restarted as another version' : `the server is stopping (${why})`,
  );
  endRun(state);
  await state.close();
  for (const lock of locks) lock.release();
  // By which a service manager starts it again.
  return why === undefined ? EXIT_FAILURE : EXIT_OK;
}

/** ftpctl, which knows the state and no configuration, makes users by them. */
function noteDefaults(state: Pick<State, 'userDefaults' | 'minPassword'>, config: Config): void {
  const { 'default-quota': quotaBytes, 'default-max-files': maxFiles, 'default-trash': trashMs = 0 } = config;
  const quota = quotaBytes === undefined ? {} : { quotaBytes };
  state.userDefaults = { ...quota, maxFiles, ...(trashMs === 0 ? {} : { trashMs }) };
  state.minPassword = config['min-password'];
}

/** The web page, where there is to be one; nothing of it is loaded else. */
async function startWebPage(
  { 'web-listen': listen, 'web-host': name }: Config,
  { log, ...parts }: Pick<WebOptions, 'state' | 'homes' | 'ask' | 'checkPassword'> & { readonly log: Log },
): Promise<WebServer | undefined> {
  if (listen === undefined) return undefined;
  const { startWeb } = await import('../web/server.js');
  const onError = (error: unknown, what: string): void => log.error({ error, what }, 'the web page');
  const web = await startWeb({ ...parts, listen, name, onError });
  log.info({ url: web.url }, 'web page');
  process.stdout.write(`web page on ${web.url}\n`);
  return web;
}

/** The first SIGTERM or SIGINT; a second one ends the daemon at once. */
function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    let received = false;
    const onSignal = (signal: string): void => {
      if (received) process.exit(EXIT_FAILURE);
      received = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/** The daemon's static key, made at the first start. */
function serverKey(path: string): KeyPair {
  if (!existsSync(path)) writeKeyFile(path, generateKeyPair(), 'ftpmountd');
  return readKeyFile(path);
}

void runProgram(PROGRAM, main);
