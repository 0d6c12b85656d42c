/* What parts of the site are made of: pages for who is signed in, and forms that change something (site.ts makes them). */
import type { FastifyRequest } from 'fastify';
import type { Administration } from '../state/administration.js';
import type { ShareAdministration } from '../state/share-administration.js';
import type { Page } from './pages/frame.js';
import type { SignedIn } from './sign-in.js';

/** What an address ends in, `:name` for one. */
export type Parameters = Readonly<Record<string, string>>;

/** In the name of who is signed in. */
export interface Administrations {
  readonly accounts: Administration;
  readonly shares: ShareAdministration;
}

/** What a form does. Returns what is told of it. */
export type Act = (by: Administrations, fields: URLSearchParams, parameters: Parameters) => Promise<string>;

export interface Site {
  /** A page for who is signed in; others are sent to sign in. `place`: see framed(). */
  readonly page: (
    path: string,
    place: string,
    render: (session: SignedIn, request: FastifyRequest) => Page | Promise<Page>,
  ) => void;
  /** A form: what it does, and the page that is shown then. */
  readonly action: (
    path: string,
    next: (parameters: Parameters, fields: URLSearchParams) => string,
    act: Act,
  ) => void;
}
