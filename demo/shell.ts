/*
 * Commands as a person types them: each is printed behind a prompt and then run by sh as it was printed. On a
 * terminal they run on a pseudo-terminal, so that progress bars move, and are still read along to be checked.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Recording } from './recording.js';
import type { Stage } from './stage.js';

/** A step did not show what it promised. */
export class DemoFailure extends Error {}

export interface Expectation {
  /** Exit code: a number, or 'failure' for any but 0. Default 0. */
  readonly exit?: number | 'failure';
  /** What the output has to contain. */
  readonly says?: RegExp;
  /** What it must not contain. */
  readonly neverSays?: RegExp;
}

const HAS_SCRIPT = spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;
const ON_TERMINAL = process.stdout.isTTY && process.stdin.isTTY && HAS_SCRIPT;

export class Shell {
  readonly #stage: Stage;
  /** What is printed goes here, too. */
  recording: Recording | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Says what comes next. */
  say(text: string): void {
    this.print(`\n${bold(`# ${text}`)}\n`);
  }

  print(text: string): void {
    process.stdout.write(text);
    this.recording?.add(text);
  }

  /** Types a command, runs it to its end and returns its output; throws where it is not as expected. */
  async run(command: string, expected: Expectation = {}): Promise<string> {
    this.#type(command);
    const child = this.#spawn(command);
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
      this.print(chunk.toString());
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    const [code] = (await once(child, 'close')) as [number | null];
    const wanted = expected.exit ?? 0;
    if (wanted === 'failure' ? code === 0 : code !== wanted)
      throw new DemoFailure(`'${command}' ended with ${code} and should have ended with ${wanted}`);
    if (expected.says && !expected.says.test(output))
      throw new DemoFailure(`'${command}' should have said ${expected.says}`);
    if (expected.neverSays?.test(output))
      throw new DemoFailure(`'${command}' should not have said ${expected.neverSays}`);
    return output;
  }

  /** Types a command that stays in the background, where Ctrl-C does not reach it; its output is the caller's. */
  start(command: string): ChildProcess {
    this.#type(`${command} &`);
    return this.#spawnPlain(`exec ${command}`, { detached: true });
  }

  /** Types a command and starts it; the child is the command itself, so that it can be killed. */
  startInFront(command: string): ChildProcess {
    this.#type(command);
    const child = this.#spawnPlain(`exec ${command}`);
    child.stdout?.pipe(process.stdout, { end: false });
    child.stderr?.pipe(process.stdout, { end: false });
    return child;
  }

  #type(command: string): void {
    this.print(`$ ${command}\n`);
  }

  #spawn(command: string): ChildProcess {
    if (!ON_TERMINAL) return this.#spawnPlain(command);
    return spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: this.#stage.directory,
      env: { ...this.#stage.env, SHELL: '/bin/sh' },
      stdio: ['inherit', 'pipe', 'pipe'],
    });
  }

  #spawnPlain(command: string, options: { readonly detached?: boolean } = {}): ChildProcess {
    return spawn('sh', ['-c', command], {
      ...options,
      cwd: this.#stage.directory,
      env: this.#stage.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

function bold(text: string): string {
  return process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text;
}
