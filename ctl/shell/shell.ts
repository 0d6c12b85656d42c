/**
 * `ftpctl shell [USER@]HOST[:DIR]`: one session for many commands, typed at a prompt or read from a script.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { WriteStream } from 'node:tty';
import { Failure } from '../../protocol/failure.js';
import { EXIT_INTERRUPTED, EXIT_OK } from '../../program/exit-codes.js';
import { clientFiles } from '../../client/files.js';
import { parseTarget } from '../../client/target.js';
import { parseRemotePath } from '../../client/remote-path.js';
import type { Lister } from '../glob.js';
import { displayName } from '../names.js';
import { endpointOf } from '../remote/endpoint.js';
import type { SessionOptions } from '../remote/session-options.js';
import { LastingSession } from '../remote/session.js';
import { leaveToMaster } from '../remote/shared-session.js';
import { complete, type Completed } from './completion.js';
import { localLister, remoteLister, trashLister } from '../listers.js';
import { History } from './history.js';
import { Interpreter } from './interpreter.js';
import { Interrupts } from './interrupts.js';
import { withLoginName } from './login-name.js';
import { Prompt } from './prompt.js';
import { openScript, runScript, type Script } from './script.js';
import { ShellSessions } from './sessions.js';
import { quoted } from './words.js';

export interface ShellOptions extends SessionOptions {
  /** [USER@]HOST, as the classic client is told it: the name is asked for. */
  readonly server?: string;
  /** A file of commands. */
  readonly batch?: string;
  /** Seconds for which a server that is away is waited for. */
  readonly retry: number;
}

/** How long Tab waits for a server that says nothing (milliseconds). */
const COMPLETION_MS = 3_000;

/** Returns the exit code: of a script its own. */
export async function shell(place: string | undefined, options: ShellOptions): Promise<number> {
  const { server, batch } = options;
  const named = place ?? server;
  if (named === undefined || (place !== undefined && server !== undefined)) {
    throw new Failure('USAGE', 'say one server: ftpctl shell [USER@]HOST[:DIR], or ftpctl -s HOST');
  }
  const output = batch === undefined && process.stdin.isTTY ? terminalOutput() : undefined;
  const script = output === undefined ? await openScript(batch) : undefined;
  if (script?.input === process.stdin && options.passwordFile === '-') {
    throw new Failure('USAGE', 'standard input cannot be both the password and the script: use -b FILE');
  }
  const asked = server !== undefined && output !== undefined;
  const target = asked ? await withLoginName(parseTarget(named)) : parseTarget(named);
  const interrupts = new Interrupts();
  try {
    const endpoint = { ...endpointOf(target, options), share: undefined };
    const session = await interrupts.during(
      (signal) => LastingSession.open(endpoint, options, signal),
      () => process.exit(EXIT_INTERRUPTED),
    );
    const sessions = new ShellSessions(session);
    try {
      const isInteractive = output !== undefined;
      const interpreter = new Interpreter(sessions, { retry: options.retry, isInteractive });
      const execute = (line: string): Promise<number> =>
        interrupts.during(
          (signal) => interpreter.execute(line, signal),
          () => sessions.breakOff(),
        );
      const code = await enter(target.path, execute);
      if (code !== EXIT_OK) return code;
      if (output !== undefined) return await converse(output, sessions, interpreter, execute);
      return script === undefined ? EXIT_OK : await carryOut(script, interpreter, execute);
    } finally {
      await sessions.close();
      await leaveToMaster(session, endpoint, options);
      await session.close();
    }
  } finally {
    interrupts.close();
  }
}

/** Goes to the directory that was named behind the host. */
async function enter(
  directory: string | undefined,
  execute: (line: string) => Promise<number>,
): Promise<number> {
  return directory === undefined || directory === '' ? EXIT_OK : execute(`cd ${quoted(directory, '', true)}`);
}

/** A person's commands may fail: the exit code tells nothing of them. */
async function converse(
  output: WriteStream,
  sessions: ShellSessions,
  interpreter: Interpreter,
  execute: (line: string) => Promise<number>,
): Promise<number> {
  const completer = async (line: string): Promise<Completed> => {
    const given = new AbortController();
    const there =
      (lister: typeof trashLister): Lister =>
      async (directory) => {
        const share = sessions.shareIn(parseRemotePath(directory, interpreter.directory));
        const session = await sessions.of(share, given.signal);
        return session.client.open ? lister(session, interpreter.directory, given.signal)(directory) : [];
      };
    const listers = { remote: there(remoteLister), trash: there(trashLister), local: localLister };
    const nothing = delay(COMPLETION_MS, { candidates: [], word: '' }, { signal: given.signal });
    nothing.catch(() => undefined);
    const completed = complete(line, interpreter.commands, listers);
    completed.catch(() => undefined);
    try {
      return await Promise.race([completed, nothing]);
    } finally {
      given.abort();
    }
  };
  const history = History.open(clientFiles().history);
  const prompt = new Prompt(process.stdin, output, history, completer);
  while (!interpreter.isEnded) {
    const line = await prompt.read(`${sessions.own.account}:/${displayName(interpreter.directory)}> `);
    if (line === undefined) break;
    await execute(line);
  }
  return EXIT_OK;
}

function carryOut(
  script: Script,
  interpreter: Interpreter,
  execute: (line: string) => Promise<number>,
): Promise<number> {
  return runScript(script, async (line) => {
    const code = await execute(line);
    return interpreter.isEnded ? undefined : code;
  });
}

/** Where the prompt is shown; undefined where the person sees neither stream. */
function terminalOutput(): WriteStream | undefined {
  return [process.stdout, process.stderr].find(({ isTTY }) => isTTY);
}
