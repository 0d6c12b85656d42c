/* The trash of a user on the page of the administrator: listed page by page, restored, removed and emptied. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Browser, setPassword } from './browser.js';
import { programWith, refusedWith } from './program.js';
import { startWithWeb } from './web.js';

t.setTimeout(150_000);

const PASSWORD = 'the administrator';
const { daemon, url } = await startWithWeb(t, { users: { alice: { quota: '1G', trash: '30d' } } });
await setPassword(daemon, PASSWORD);
const browser = new Browser(url);
await browser.signIn(PASSWORD);
const AT = '/users/alice/trash';

interface Shown {
  readonly id: string;
  readonly path: string;
}

/** Of all pages, and how many these are. */
async function shown(): Promise<{ items: Shown[]; pages: number }> {
  const items: Shown[] = [];
  let pages = 0;
  for (let next: string | undefined = AT; next !== undefined; pages += 1) {
    const page: string = await browser.text(next.replaceAll('&amp;', '&'));
    for (const [, path = '', id = ''] of page.matchAll(
      /data-label="File"><bdi>([^<]*)<[^]*?name="id" value="([^"]+)"/g,
    ))
      items.push({ id, path });
    next = /href="([^"]+)">Next page</.exec(page)?.[1];
  }
  return { items, pages };
}

async function said(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await daemon.ftpctl([command, ...args]);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

const login = daemon.login('alice');
const home = daemon.home('alice');
mkdirSync(join(home, 'many/sub'), { recursive: true });
for (let i = 0; i < 450; i++) appendFileSync(join(home, 'many/sub', `f${i}`), 'text');
appendFileSync(join(home, 'many', '<script>\u202e'), 'text');
await said('quota', 'check', 'alice', '--repair');
await said('rm', '-r', ...login, daemon.at('alice', 'many'));

t.test('it is listed page by page, and names show as what they are', async (t) => {
  t.match(await browser.text('/users/alice'), /href="\/users\/alice\/trash"/);
  const { items, pages } = await shown();
  t.equal(new Set(items.map(({ path }) => path)).size, 451);
  t.ok(pages > 1, `${pages} pages`);
  t.match(
    items.map(({ path }) => path).filter((path) => !path.startsWith('many/sub/f')),
    ['many/&lt;script&gt;\\u202e'],
  );
  t.notMatch(await browser.text(AT), /<script>|\u202e/);
  t.equal((await browser.get(`${AT}?from=nonsense`)).status, 404);
  t.equal((await browser.get('/users/nobody/trash')).status, 404);
});

t.test('an item is restored where it was, or removed for good', async (t) => {
  const { items } = await shown();
  const idOf = (path: string): string => items.find((item) => item.path === path)?.id ?? '';
  const back = 'many/sub/f7';
  t.equal(await browser.send(`${AT}/restore`, { id: idOf(back) }), `${back} is back.`);
  t.equal(readFileSync(join(home, back), 'utf8'), 'text', 'with the directories that are missing');
  t.match(await browser.send(`${AT}/restore`, { id: idOf(back) }), /no such item/);
  await said('rm', ...login, daemon.at('alice', back));
  appendFileSync(join(home, back), 'other');
  const again = (await shown()).items.find(({ path }) => path === back)?.id ?? '';
  t.match(await browser.send(`${AT}/restore`, { id: again }), /something has the name/);
  t.equal(readFileSync(join(home, back), 'utf8'), 'other');
  t.equal(
    await browser.send(`${AT}/remove`, { id: idOf('many/sub/f8') }),
    'many/sub/f8 is removed for good.',
  );
  t.match(await browser.send(`${AT}/remove`, { id: '../../x' }), /no such item/);
  const trail = await browser.text('/audit?user=alice');
  t.match(trail, /<bdi>trash-remove<[^]*path: many\/sub\/f8[^]*<bdi>trash-restore<[^]*path: many\/sub\/f7/);
});

t.test('only by its own forms', async (t) => {
  const { items } = await shown();
  for (const path of ['restore', 'remove', 'empty']) {
    t.equal((await browser.post(`${AT}/${path}`, { id: items[0]?.id ?? '' })).status, 403, path);
    const stranger = await new Browser(url).post(`${AT}/${path}`, { id: items[0]?.id ?? '' });
    t.equal(stranger.headers.get('location'), '/login', path);
  }
  t.equal((await new Browser(url).get(AT)).headers.get('location'), '/login');
  t.equal((await shown()).items.length, items.length);
});

t.test('the same by the API', async (t) => {
  const program = await programWith({ daemon, url }, 'trash', 'users:read', 'users:write');
  interface Listed {
    readonly items: readonly { readonly id: string; readonly path: string }[];
    readonly next: string | null;
  }
  const at = '/users/alice/trash';
  const first = (await program.call('GET', at)).body as Listed;
  t.match(first, { items: [{ id: String, path: /^many/, bytes: 4, removedAt: /Z$/ }], next: String });
  const second = (await program.call('GET', `${at}?from=${encodeURIComponent(first.next ?? '')}`))
    .body as Listed;
  const [back, gone] = second.items;
  t.notOk(first.items.some(({ id }) => id === back?.id));
  t.match(await program.call('POST', `${at}/restore`, { id: back?.id }), {
    status: 200,
    body: { path: back?.path },
  });
  t.ok(existsSync(join(home, back?.path ?? '')));
  t.match(await program.call('POST', `${at}/remove`, { id: gone?.id }), {
    status: 200,
    body: { path: gone?.path },
  });
  t.match(await program.call('POST', `${at}/remove`, { id: gone?.id }), refusedWith(404, /no such item/));
  t.match(await program.call('GET', `${at}?from=nonsense`), refusedWith(400, /no such page/));
  mkdirSync(join(home, 'way'));
  appendFileSync(join(home, 'way', 'f'), 'text');
  await said('rm', '-r', ...login, daemon.at('alice', 'way'));
  appendFileSync(join(home, 'way'), 'a file where its directory was');
  let from: string | null = null;
  let id: string | undefined;
  do {
    const page: Listed = (
      await program.call('GET', `${at}${from === null ? '' : `?from=${encodeURIComponent(from)}`}`)
    ).body as Listed;
    id ??= page.items.find(({ path }) => path === 'way/f')?.id;
    from = page.next;
  } while (from !== null);
  t.match(await program.call('POST', `${at}/restore`, { id }), refusedWith(409, /way\/f|directory/));
  t.notMatch(daemon.service.output, /"level":"error"/, 'what the caller is told is no error of the daemon');
});

t.test('it is emptied', async (t) => {
  t.match(await browser.send(`${AT}/empty`), /^The trash is empty/);
  t.match(await browser.text(AT), /Nothing is in the trash/);
  t.notOk(existsSync(join(home, 'many/sub/f9')));
});
