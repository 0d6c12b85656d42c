/* The script of the pages that show what goes on: it puts a new <main> in place of the old one, unless somebody is in it. */

export const REFRESH = `
const PERIOD_MS = 5000;

async function refresh() {
  const main = document.querySelector('main');
  if (document.hidden || main.contains(document.activeElement)) return;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  if (answer.redirected) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  main.replaceWith(page.querySelector('main'));
}

setInterval(() => refresh().catch(() => undefined), PERIOD_MS);
`;
