/* What all pages are in: the head, the way to the other pages, what came of the last form; and what forms have in common. */
import { html, type Html } from '../html.js';
import type { Notice, SignedIn } from '../sign-in.js';

const PAGES = [
  ['/', 'Dashboard'],
  ['/users', 'Users'],
  ['/shares', 'Shares'],
  ['/uploads', 'Uploads'],
  ['/bans', 'Bans'],
  ['/audit', 'Audit trail'],
] as const;

export interface Page {
  readonly title: string;
  readonly content: Html;
  /** It shows what goes on, and keeps up with it. */
  readonly live?: boolean;
}

/** A page of who is signed in; `place`: which of PAGES it belongs to. */
export function framed({ title, content, live = false }: Page, session: SignedIn, place: string): string {
  const links = PAGES.map(([path, name]) =>
    path === place
      ? html`<a href="${path}" aria-current="page">${name}</a>`
      : html`<a href="${path}">${name}</a>`,
  );
  const { notice } = session;
  session.notice = undefined;
  return documentOf(
    title,
    html`<a class="skip" href="#main">Skip to the content</a>
      <header>
        <div>
          <strong>ftpmount</strong>
          <nav aria-label="Pages">${links}</nav>
          ${form(session, '/logout', html`<button class="plain">Sign out</button>`)}
        </div>
      </header>
      <main id="main">
        <h1>${title}</h1>
        ${notice === undefined ? undefined : noticeOf(notice)} ${content}
      </main>`,
    live,
  );
}

/** The page of who is not. */
export function loginPage(notice: Notice | undefined): string {
  return documentOf(
    'Sign in',
    html`<main id="main" class="narrow">
      <section>
        <h1>ftpmount</h1>
        ${notice === undefined ? undefined : noticeOf(notice)}
        <form class="fields" method="post" action="/login">
          <input hidden readonly autocomplete="username" value="administrator" />
          <label
            >Password of the administrator
            <input type="password" name="password" required autofocus autocomplete="current-password"
          /></label>
          <button>Sign in</button>
        </form>
      </section>
      <p class="soft">The password is set on the server, by <code>ftpctl web-password</code>.</p>
    </main>`,
    false,
  );
}

/** A form that changes something. */
export function form(session: SignedIn, action: string, content: Html, className = ''): Html {
  return html`<form method="post" action="${action}" class="${className}">
    <input type="hidden" name="token" value="${session.formToken}" />${content}
  </form>`;
}

function noticeOf({ text, failed }: Notice): Html {
  return failed
    ? html`<p class="card notice failed" role="alert">${text}</p>`
    : html`<p class="card notice" role="status">${text}</p>`;
}

function documentOf(title: string, body: Html, live: boolean): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} - ftpmount</title>
        <link rel="stylesheet" href="/style.css" />
        ${live ? html`<script type="module" src="/refresh.js"></script>` : undefined}
      </head>
      <body>
        ${body}
      </body>
    </html>`.text;
}
