/* ftpctl's prompt as a program uses it: one session, a command after the other, and what became of each. */
import type { Daemon } from './daemon.js';
import { programs } from './programs.js';
import type { Scope } from './scope.js';
import { Service } from './service.js';

export class Prompt {
  readonly #service: Service;
  #commands = 0;

  constructor(scope: Scope, daemon: Daemon, user: string) {
    const args = [programs.ftpctl, 'shell', ...daemon.login(user), daemon.at(user).replace(/:$/, '')];
    this.#service = new Service(scope, process.execPath, args, { env: daemon.env, listens: true });
  }

  /** Resolves with what it complained of; undefined: it did it. */
  async run(command: string): Promise<string | undefined> {
    const from = this.#service.output.length;
    const end = `-- ${++this.#commands} --`;
    this.#service.say(`-${command}\n!echo >&2 '${end}'\n`);
    await this.#service.says(new RegExp(`^${end}$`, 'm'), from);
    return /^ftpctl: .*$/m.exec(this.#service.output.slice(from))?.[0];
  }
}
