/* A browser at the page of the administrator, over HTTP; and the password that it signs in with. */
import type { Daemon } from '../lib/daemon.js';

export async function setPassword(daemon: Daemon, password: string): Promise<void> {
  const set = await daemon.ftpctl(['web-password', '--password-file', '-'], { input: `${password}\n` });
  if (set.code !== 0) throw new Error(set.stderr);
}

/** What a browser keeps of a page that it is signed in to, or not. */
export class Browser {
  readonly #url: string;
  #cookie = '';

  constructor(url: string) {
    this.#url = url;
  }

  get(path: string): Promise<Response> {
    return fetch(`${this.#url}${path}`, { redirect: 'manual', headers: { cookie: this.#cookie } });
  }

  async text(path: string): Promise<string> {
    return (await this.get(path)).text();
  }

  post(
    path: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const body = new URLSearchParams(fields);
    const sent = { cookie: this.#cookie, ...headers };
    return fetch(`${this.#url}${path}`, { method: 'POST', redirect: 'manual', headers: sent, body });
  }

  async signIn(password: string): Promise<Response> {
    const answer = await this.post('/login', { password });
    this.#cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    return answer;
  }

  /** The hidden field of the forms. */
  async token(): Promise<string> {
    return /name="token" value="([^"]+)"/.exec(await this.text('/'))?.[1] ?? '';
  }

  /** Sends a form of the page, and returns what is shown of it. */
  async send(path: string, fields: Record<string, string> = {}): Promise<string> {
    const answer = await this.post(path, { token: await this.token(), ...fields });
    const next = answer.headers.get('location');
    if (answer.status !== 303 || next === null) throw new Error(`${path}: ${answer.status}`);
    const page = await this.get(next);
    const shown = page.status === 303 ? await this.get(page.headers.get('location') ?? '/') : page;
    return /role="(?:status|alert)"[^>]*>([^<]*)</.exec(await shown.text())?.[1] ?? '';
  }
}
