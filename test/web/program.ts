/* Programs that use the API of a daemon. */
import type { Scope } from '../../state/api-tokens.js';
import type { Daemon } from '../lib/daemon.js';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A program that has a token, or none. */
export class Program {
  readonly #url: string;
  readonly #token: string | undefined;

  constructor(url: string, token?: string) {
    this.#url = url;
    this.#token = token;
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(`${this.#url}/api/v1${path}`, {
      method,
      headers: {
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        // Many programs say so with each request, also where it has no body.
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
  }
}

/** One with a new token of these scopes. */
export async function programWith(
  { daemon, url }: { readonly daemon: Daemon; readonly url: string },
  name: string,
  ...scopes: readonly Scope[]
): Promise<Program> {
  const { code, stdout, stderr } = await daemon.ftpctl(['token', 'add', name, '--scope', ...scopes]);
  if (code !== 0) throw new Error(stderr);
  return new Program(url, stdout.trim());
}

/** What an answer matches that refuses. */
export function refusedWith(status: number, message: RegExp): unknown {
  return { status, body: { error: { message } } };
}
