/*
 * A real daemon under attack, and what has to hold after each attempt: it runs, nothing unexpected is in its log, no
 * worker was lost, its memory is within a bound, and a client that keeps the rules is served.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { generateKeyPair, type KeyPair } from '../../protocol/transport/x25519.js';
import { logIn, makeAccounts } from './accounts.js';
import { Attacker, type Intrusion } from './attacker.js';
import { Daemon } from './daemon.js';
import { PathClient } from './path-client.js';
import type { Scope } from './scope.js';
import { PATIENCE_MS } from './service.js';

/** Users log in by key: no Argon2 and no throttling in the way, but where a test wants them. */
export const PASSWORD = 'correct horse';

export interface TargetOptions {
  readonly args?: readonly string[];
  /** 0: no limit. */
  readonly quotaBytes?: number;
}

export class Target {
  readonly daemon: Daemon;
  readonly #scope: Scope;
  readonly keyPair: KeyPair;
  /** Kilobytes when it was at rest. */
  #restingMemory = 0;

  /** A daemon with the users mallory (who attacks) and alice (who does not). */
  static async start(scope: Scope, options: TargetOptions = {}): Promise<Target> {
    const keyPair = generateKeyPair();
    const daemon = new Daemon(scope, { args: ['--log-level', 'info', ...(options.args ?? [])] });
    const publicKey = Buffer.from(keyPair.publicKey).toString('base64');
    await makeAccounts(daemon.state, PASSWORD, ['mallory', 'alice'], {
      quotaBytes: options.quotaBytes ?? 2 ** 30,
      keys: [{ publicKey, comment: 'test' }],
    });
    await daemon.start();
    const target = new Target(scope, daemon, keyPair);
    await target.serves();
    target.#restingMemory = target.memory;
    return target;
  }

  private constructor(scope: Scope, daemon: Daemon, keyPair: KeyPair) {
    this.#scope = scope;
    this.daemon = daemon;
    this.keyPair = keyPair;
  }

  get port(): number {
    return this.daemon.port;
  }

  /** Resident memory of the daemon in kilobytes. */
  get memory(): number {
    const status = readFileSync(`/proc/${this.daemon.service.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  }

  /** Kilobytes more than at rest. */
  get growth(): number {
    return this.memory - this.#restingMemory;
  }

  get log(): string {
    return this.daemon.service.output;
  }

  /** mallory, logged in. */
  mallory(options: Partial<Intrusion> = {}): Promise<Attacker> {
    const { port } = this;
    return Attacker.logIn(this.#scope, { port, user: 'mallory', keyPair: this.keyPair, ...options });
  }

  /** A connection of someone who is not logged in and was asked for a password. */
  async stranger(): Promise<Attacker> {
    const attacker = await Attacker.connect(this.#scope, { port: this.port, user: 'mallory' });
    const { kind } = await attacker.answer(1);
    if (kind !== 'ENOKEY') throw new Error(`expected ENOKEY, not ${kind}`);
    return attacker;
  }

  /** A client that keeps the rules does what clients do. Rejects where it cannot. */
  async serves(): Promise<void> {
    const client = await logIn(this.#scope, {
      port: this.port,
      user: 'alice',
      password: null,
      keyPair: this.keyPair,
    });
    const paths = new PathClient(client);
    await paths.put('letter', 'dear mallory');
    const read = await paths.read('letter');
    await paths.unlink('letter');
    const names = await paths.list('');
    await client.call('logout', []);
    await client.close();
    if (read.toString() !== 'dear mallory' || names.length > 0)
      throw new Error('alice is not served as she should be');
  }

  /** To be called after an attack: see the head of this file. */
  async unharmed(t: Test, attack: string, boundKilobytes: number): Promise<void> {
    await this.serves();
    t.equal(this.daemon.service.ended, false, `${attack}: the daemon runs`);
    t.notMatch(
      this.log,
      /worker (?:threw|was lost)|uncaught|unhandled|internal error/i,
      `${attack}: no worker was lost`,
    );
    // The collector needs a moment: a deadline, and no sleep that decides.
    const deadline = performance.now() + PATIENCE_MS / 4;
    while (this.growth > boundKilobytes && performance.now() < deadline) await sleep(50);
    t.ok(
      this.growth <= boundKilobytes,
      `${attack}: its memory grew by at most ${boundKilobytes} kB (${this.growth})`,
    );
  }
}
