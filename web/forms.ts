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

/** The name that an address has, as `parse` takes it. Throws EINVAL. */
export function nameIn<T>(parameters: unknown, parse: (text: string) => T): T {
  return parse((parameters as Parameters)['name'] ?? '');
}

/**
 * Adds forms of what has a name: at `place`/NAME/`path`, where `act` is told the name. The page that is shown then is `next`; by default that
 * of what has the name.
 */
export function formsOf<T>(action: Site['action'], place: string, parse: (text: string) => T) {
  const itsPage = (name: string): string => `${place}/${name}`;
  return (
    path: string,
    act: (by: Administrations, name: T, fields: URLSearchParams) => Promise<string>,
    next: (name: string, fields: URLSearchParams) => string = itsPage,
  ): void =>
    action(
      `${place}/:name/${path}`,
      ({ name = '' }, fields) => next(encodeURIComponent(name), fields),
      (by, fields, parameters) => act(by, nameIn(parameters, parse), fields),
    );
}
