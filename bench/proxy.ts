/*
 * A TCP proxy on loopback that adds the delay of a long line, and breaks it when asked: tests of reconnecting and
 * measurements at a distance stand on it. It is a process of its own, so it takes no time from what is measured.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Scope } from '../test/lib/scope.js';

/** What the proxy's process can be told. */
export type ProxyOrder =
  | { readonly do: 'cut' }
  | { readonly do: 'refuse' }
  | { readonly do: 'stall' }
  | { readonly do: 'resume' }
  | { readonly do: 'delay'; readonly rttMs: number }
  | { readonly do: 'count' };

/** Bytes that came in, of all connections ever. */
export interface Carried {
  readonly fromClients: number;
  readonly fromTarget: number;
}

export class Proxy {
  readonly port: number;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Resets every connection; new ones are accepted. */
  async cut(): Promise<void> {
    await this.#order({ do: 'cut' });
  }

  /** Resets every connection and each new one, until `resume`. */
  async refuse(): Promise<void> {
    await this.#order({ do: 'refuse' });
  }

  /** Delivers nothing, without closing anything, until `resume`: a network gone silent. */
  async stall(): Promise<void> {
    await this.#order({ do: 'stall' });
  }

  /** Ends `stall` and `refuse`; what was held back is delivered. */
  async resume(): Promise<void> {
    await this.#order({ do: 'resume' });
  }

  /** Changes the round trip time for what comes from now on. */
  async delay(rttMs: number): Promise<void> {
    await this.#order({ do: 'delay', rttMs });
  }

  carried(): Promise<Carried> {
    return this.#order({ do: 'count' });
  }

  /** Resolves when the order is carried out: orders are answered one by one. */
  async #order(order: ProxyOrder): Promise<Carried> {
    const answer = once(this.#child, 'message');
    this.#child.send(order);
    const [{ carried }] = (await answer) as [{ carried: Carried }];
    return carried;
  }
}

/** Starts a proxy to a port of this machine; `rttMs` is the round trip time added. It ends with the scope. */
export async function startProxy(scope: Scope, targetPort: number, rttMs = 0): Promise<Proxy> {
  const file = fileURLToPath(new URL('./proxy-process.js', import.meta.url));
  const child = fork(file, [String(targetPort), String(rttMs)]);
  scope.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return new Proxy(child, port);
}
