/* The demo's daemon: started as one would, waited for, and stopped by SIGTERM at the end. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { DemoFailure, type Shell } from './shell.js';

const COMMAND = 'ftpmountd --listen 127.0.0.1:0 --home home --state state';

export class Daemon {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;

  constructor(child: ChildProcess, exited: Promise<unknown[]>, port: number) {
    this.#child = child;
    this.#exited = exited;
    this.port = port;
  }

  /** Starts it and waits until it says where it listens. */
  static async start(shell: Shell): Promise<Daemon> {
    const child = shell.start(COMMAND);
    const exited = once(child, 'close');
    let output = '';
    const listening = new Promise<number>((resolve) => {
      const look = (chunk: Buffer): void => {
        output += chunk.toString();
        const ready = /^listening on .*:(\d+)$/m.exec(output);
        if (!ready) return;
        process.stdout.write(`${ready[0]}\n`);
        resolve(Number(ready[1]));
        child.stdout?.off('data', look).resume(); // Later lines are its log.
      };
      child.stdout?.on('data', look);
    });
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = exited.then(([code]) => {
      throw new DemoFailure(`the daemon ended with ${String(code)}:\n${output}`);
    });
    return new Daemon(child, exited, await Promise.race([listening, ended]));
  }

  /** SIGTERM; it ends by itself, with exit code 0. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const [code] = await this.#exited;
    if (code !== 0) throw new DemoFailure(`the daemon ended with ${String(code)} after SIGTERM`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
