import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { MAX_PAGE_ENTRIES, POSITION_BYTES } from '../../../protocol/limits.js';
import { LEASE_NONE, LEASE_READ, LEASE_WRITE, WHOLE_HOME } from '../../../protocol/methods.js';
import { RELEASE } from '../../../protocol/operations.js';
import { NOTHING } from '../log/operations.js';
import { failureOf } from '../remote/failure-of.js';
import { attributesOf, DIRECTORY, newId, ROOT_INO } from '../tree/planted.js';
import { until } from '../remote/processes.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const PAGES = [
  ['a', 'b'],
  ['c', 'd'],
  ['e', 'f'],
];

/** A root of three pages, whose cursors go on with each page that is asked for, as a server's do. */
async function pagedHome(scope: Parameters<typeof ScriptedHome.open>[0]) {
  const cursors = new Map<number, number>();
  const page = (number: number): unknown[] =>
    (PAGES[number] ?? []).map((name, at) => [Buffer.from(name), attributesOf(100 + 10 * number + at), null]);
  let opened = 0;
  const home = await ScriptedHome.open(scope, {
    list: () => {
      cursors.set((opened += 1), 1);
      return [[home.root, page(0), opened]];
    },
    listNext: ([cursor]) => {
      const next = cursors.get(Number(cursor));
      if (next === undefined) throw new Failure('EBADF');
      cursors.set(Number(cursor), next + 1);
      if (next + 1 < PAGES.length) return [page(next), cursor];
      cursors.delete(Number(cursor));
      return [page(next), null];
    },
    close: ([cursor]) => {
      cursors.delete(Number(cursor));
      return null;
    },
  });
  return { home, cursors };
}

t.test('a connection that is lost while a directory is listed loses none of its names', async (t) => {
  for (const lost of [0, 1, 2]) {
    const { home, cursors } = await pagedHome(t);
    const { reply } = home.server;
    let requests = 0;
    home.server.reply = (method, params) => {
      const result = reply(method, params);
      // It was carried out, and its answer is lost.
      if (method.startsWith('list') && requests++ === lost) home.server.connection.break();
      return result;
    };
    t.same(await home.list(), PAGES.flat(), `where the answer of request ${lost} is lost`);
    await until(() => cursors.size === (lost === 0 ? 1 : 0));
  }
});

t.test('a listing whose cursor is not known any more is begun anew, not for ever', async (t) => {
  const { home } = await pagedHome(t);
  const { listNext } = home.answers;
  let failures = 1;
  home.answers.listNext = (params) => {
    if (failures-- > 0) throw new Failure('ESTALE');
    return listNext?.(params);
  };
  t.same(await home.list(), PAGES.flat());
  failures = Infinity;
  t.equal(await failureOf(home.list()), 'ESTALE');
});

t.test('a page is asked for once, also where the server forgot operations meanwhile', async (t) => {
  const { home } = await pagedHome(t);
  const { log } = home.state;
  const { listNext } = home.answers;
  let rewound = false;
  home.answers.listNext = (params) => {
    const page = listNext?.(params);
    if (!rewound) {
      rewound = true;
      log.append({ kind: RELEASE, id: newId() }, NOTHING);
      log.take();
      log.resume(0);
    }
    return page;
  };
  t.same(await home.list(), PAGES.flat());
});

t.test('a home that nobody else uses is listed before anybody asks', async (t) => {
  const home = await ScriptedHome.open(t);
  const { connection } = home.server;
  home.answers.list = () => [[home.root, [[Buffer.from('a'), attributesOf(10), null]], null]];
  connection.notifications.lease?.([[ROOT_INO, LEASE_WRITE]]);
  t.same(asked(connection.requests, 'list'), [], 'not where others may have to give something back for it');
  connection.notifications.lease?.([[WHOLE_HOME, LEASE_WRITE]]);
  t.same(asked(connection.requests, 'list'), ['list']);
  await home.node('a');
  t.same(await home.list(), ['a']);
  connection.notifications.lease?.([[WHOLE_HOME, LEASE_WRITE]]);
  t.same(asked(connection.requests, 'list'), ['list'], 'once');
  t.same(asked(connection.requests, 'lookup'), []);
});

t.test('of what nobody waits for, one page comes', async (t) => {
  const { home, cursors } = await pagedHome(t);
  const { connection } = home.server;
  connection.notifications.lease?.([[WHOLE_HOME, LEASE_WRITE]]);
  await until(() => connection.requests.includes('close 1'));
  t.same(asked(connection.requests, 'listNext'), []);
  await until(() => cursors.size === 0);
  t.same(await home.list(), PAGES.flat(), 'who wants all gets all');
});

t.test('who lists what is being listed ahead gets all of it', async (t) => {
  const { home } = await pagedHome(t);
  home.server.connection.notifications.lease?.([[WHOLE_HOME, LEASE_WRITE]]);
  t.same(await home.list(), PAGES.flat());
  t.same(asked(home.server.connection.requests, 'list'), ['list']);
});

t.test('who looks a name up in a large directory waits for its first page, not for all', async (t) => {
  const { home } = await pagedHome(t);
  const { connection } = home.server;
  home.answers.lookup = () => [attributesOf(200), null];
  const { reply } = home.server;
  home.server.reply = (method, params) => {
    // Where that was waited for, there would be no end.
    if (method === 'listNext') connection.held = true;
    return reply(method, params);
  };
  connection.notifications.lease?.([[ROOT_INO, LEASE_WRITE]]);
  await home.node('unheard-of');
  await home.node('a');
  t.same(asked(connection.requests, 'lookup'), ['lookup'], 'the second one by listing');
  connection.answer();
});

t.test('what another client has is not listed ahead', async (t) => {
  const home = await ScriptedHome.open(t);
  const { connection } = home.server;
  const [used, ours, others] = [20, 21, 22].map((ino) => attributesOf(ino, DIRECTORY));
  const names = Object.entries({ used, others, ours }).map(([name, is]) => [Buffer.from(name), is, null]);
  connection.notifications.lease?.([ROOT_INO, 20n, 21n].map((unit) => [unit, LEASE_READ]));
  home.answers.list = ([directory]) =>
    Number((directory as unknown[])[0]) === Number(ROOT_INO)
      ? [
          [home.root, names, null],
          [used, [[Buffer.from('file'), attributesOf(30), null]], null],
        ]
      : [[ours, [], null]];
  await home.list();
  const node = await home.node('used');
  await home.filesystem.lookup(node, Buffer.from('file'), CALLER);
  const listed = connection.requests.filter((each) => each.startsWith('list'));
  t.match(listed, [/^list 2,/, /^list 21,/]);
  t.equal(listed.length, 2);
});

t.test('a directory that was found to have too many names is not listed ahead', async (t) => {
  const home = await ScriptedHome.open(t);
  const { connection } = home.server;
  const [used, big, sub] = [20, 21, 22].map((ino) => attributesOf(ino, DIRECTORY));
  let told = 0;
  const page = (): unknown[] =>
    Array.from({ length: MAX_PAGE_ENTRIES }, () => {
      told += 1;
      return [Buffer.from(`f${told}`), attributesOf(1000 + told), null];
    });
  const names = Object.entries({ used, big, sub }).map(([name, is]) => [Buffer.from(name), is, null]);
  home.answers.list = ([directory, entries]) => {
    const ino = Number((directory as unknown[])[0]);
    if (ino === 21) return [[big, Number(entries) === 0 ? [] : page(), 1]];
    if (ino === 22) return [[sub, [], null]];
    return [
      [home.root, names, null],
      [used, [[Buffer.from('file'), attributesOf(30), null]], null],
    ];
  };
  home.answers.listNext = () => [page(), 1, Buffer.alloc(POSITION_BYTES * MAX_PAGE_ENTRIES, 1)];
  for (const method of ['close', 'returned'] as const) home.answers[method] = () => null;
  const own = async (): Promise<void> => {
    connection.notifications.lease?.([[WHOLE_HOME, LEASE_WRITE]]);
    await home.list();
  };
  await own();
  const node = await home.node('big');
  const { handle } = await home.filesystem.opendir(node, CALLER);
  await home.filesystem.readdir(node, handle, 0n, false, () => false, CALLER);
  connection.notifications.recall?.([[WHOLE_HOME, LEASE_NONE]]);
  await until(() => connection.requests.some((each) => each.startsWith('returned')));
  connection.requests.length = 0;
  await own();
  await home.filesystem.lookup(await home.node('used'), Buffer.from('file'), CALLER);
  await until(() => connection.requests.some((each) => each.startsWith('list 22,')));
  const listed = connection.requests.filter((each) => each.startsWith('list'));
  t.match(listed, [/^list 2,/, /^list 22,/]);
  t.equal(listed.length, 2);
});

function asked(requests: readonly string[], method: string): string[] {
  return requests.map((each) => each.split(' ')[0] ?? '').filter((each) => each === method);
}
