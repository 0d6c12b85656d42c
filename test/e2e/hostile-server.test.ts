/*
 * A real ftpctl and a server that lies to it. Whatever it answers, ftpctl ends with one line that says what is wrong, and
 * writes nothing where it was not told to.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { Channel } from '../../protocol/transport/channel.js';
import { encodeRequest, encodeResponse } from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import { MAX_DATA, MAX_LEASE_ITEMS } from '../../protocol/limits.js';
import {
  attributesOf,
  CONTENT,
  DIRECTORY,
  EvilServer,
  FILE,
  listing,
  notify,
  SILENCE,
  SYMLINK,
  type Lie,
} from '../lib/evil-server.js';
import type { RunResult } from '../lib/run.js';
import { SMALL_FILE_BYTES } from '../../ctl/transfer/transfer.js';
import { problemOf } from '../lib/said.js';

t.setTimeout(90_000);

/** One line that says what is wrong, none of the server's bytes that command a terminal, and the exit code. */
function refuses(t: Test, name: string, result: RunResult, codes: readonly number[]): void {
  t.ok(
    codes.includes(result.code ?? -1),
    `${name}: ends with ${codes.join(' or ')} (${result.code}, ${result.stderr})`,
  );
  const said = problemOf(result, 'ftpctl');
  t.notMatch(said, /internal error|\p{Cc}/u, `${name}: ${said}`);
}

const LOST = [3];

await t.test('results of a wrong type', async (t) => {
  const wrong: readonly unknown[] = [
    null,
    [1, 2, 3],
    Buffer.alloc(10),
    attributesOf(FILE, 10, Number.NaN),
    attributesOf(FILE, 10, 2 ** 60),
  ];
  await Promise.all(
    wrong.map(async (result, index) => {
      const server = await EvilServer.start(t, { getattr: () => result });
      refuses(t, `result ${index}`, await server.ftpctl(['stat'], [server.at('plain')]), LOST);
    }),
  );
  const server = await EvilServer.start(t, { list: () => [] });
  refuses(t, 'no listing at all', await server.ftpctl(['ls'], [server.at()]), LOST);
});

await t.test('messages that no server sends', async (t) => {
  const messages: Record<string, (channel: Channel, id: number) => void> = {
    'a record past the limit': (channel, id) => {
      channel.maxRecord = 8 * MAX_DATA;
      channel.send(encodeResponse(id, undefined, Buffer.alloc(2 * MAX_DATA)));
    },
    'random bytes': (channel) => channel.send([Buffer.from('nonsense')]),
    'an array that promises 2^32-1': (channel) => channel.send([Buffer.from('940105c0ddffffffff', 'hex')]),
    'a request': (channel) => channel.send(encodeRequest(1, 'ping', [])),
    'a cancel': (channel, id) => notify(channel, 'cancel', [id]),
    'an answer to nothing': (channel) => channel.send(encodeResponse(12_345, undefined, null)),
    'two answers': (channel, id) => {
      for (let i = 0; i < 2; i++) channel.send(encodeResponse(id, undefined, attributesOf(DIRECTORY, 1)));
    },
    'a lease that is none': (channel) => notify(channel, 'lease', [[[7, 3]]]),
    'a recall of everything at once': (channel) =>
      notify(channel, 'recall', [Array.from({ length: MAX_LEASE_ITEMS + 1 }, (_, unit) => [unit, 0])]),
    'a place that is none': (channel) => notify(channel, 'queued', [-1]),
  };
  await Promise.all(
    Object.entries(messages).map(async ([name, send]) => {
      const server = await EvilServer.start(t, {
        getattr: ({ id }, channel) => {
          send(channel, id);
          return SILENCE;
        },
      });
      refuses(t, name, await server.ftpctl(['ls'], [server.at()]), LOST);
    }),
  );
});

await t.test('names that lead out of the directory that is copied to', async (t) => {
  const names = ['..', '.', '../escaped', '/escaped', 'a\0b', '', 'n'.repeat(256)];
  await Promise.all(
    names.map(async (name) => {
      const server = await EvilServer.start(t, {
        list: () => listing(attributesOf(DIRECTORY, 1), [[Buffer.from(name), attributesOf(FILE), null]]),
        getattr: ({ params }) =>
          attributesOf(String(params[0]).startsWith('sub') || String(params[0]) === '' ? DIRECTORY : FILE, 1),
      });
      mkdirSync(path.join(server.directory, 'into'));
      const shown = JSON.stringify(name.slice(0, 20));
      const got = await server.ftpctl(['get', '-r', '--quiet'], [server.at('sub'), 'into']);
      t.not(got.code, 0, `get -r of ${shown}: ${got.stderr}`);
      t.notMatch(got.stderr, /internal error/);
      const made = existsSync(path.join(server.directory, 'into/sub'))
        ? readdirSync(path.join(server.directory, 'into/sub'))
        : [];
      t.strictSame(made, [], `nothing is made for ${shown}`);
      t.notOk(existsSync(path.join(server.directory, 'escaped')));
      t.notOk(existsSync(path.join(server.directory, 'into/escaped')));
      if (name === '..') refuses(t, `ls of ${shown}`, await server.ftpctl(['ls'], [server.at()]), LOST);
    }),
  );
});

await t.test('a symlink, and then a directory of the same name', async (t) => {
  const server = await EvilServer.start(t, {
    getattr: () => attributesOf(DIRECTORY, 1),
    list: ({ params }) =>
      String(params[0]) === 'sub'
        ? listing(attributesOf(DIRECTORY, 2), [
            [Buffer.from('x'), attributesOf(SYMLINK, 3), Buffer.from('../../outside')],
            [Buffer.from('x'), attributesOf(DIRECTORY, 4), null],
          ])
        : listing(attributesOf(DIRECTORY, 4), [[Buffer.from('planted'), attributesOf(FILE), null]]),
    readlink: () => Buffer.from('../../outside'),
  });
  mkdirSync(path.join(server.directory, 'outside'));
  mkdirSync(path.join(server.directory, 'into'));
  for (let round = 0; round < 2; round++)
    await server.ftpctl(['get', '-r', '--quiet'], [server.at('sub'), 'into']);
  t.strictSame(
    readdirSync(path.join(server.directory, 'outside')),
    [],
    'nothing is written through the symlink',
  );
});

await t.test('data that are not what was asked for', async (t) => {
  const cases: Record<string, { lies: Record<string, Lie>; codes: readonly number[] }> = {
    'more than asked': { lies: { downloadRead: () => Buffer.alloc(CONTENT.length + 1) }, codes: LOST },
    'less than asked': { lies: { downloadRead: () => Buffer.alloc(3) }, codes: [1] },
    'another file': { lies: { downloadRead: () => Buffer.alloc(CONTENT.length) }, codes: [1] },
    'a text': { lies: { downloadRead: () => 'text' }, codes: LOST },
    'a file of 2^53 bytes': {
      lies: { download: () => [1, attributesOf(FILE, 10, 2 ** 53 - 1)], downloadRead: () => Buffer.alloc(0) },
      codes: [1],
    },
    'a digest of a wrong length': { lies: { digest: () => Buffer.alloc(15) }, codes: LOST },
  };
  await Promise.all(
    Object.entries(cases).map(async ([name, { lies, codes }]) => {
      const server = await EvilServer.start(t, lies);
      const target = path.join(server.directory, 'copy');
      writeFileSync(target, 'the old file');
      refuses(t, name, await server.ftpctl(['get', '--quiet'], [server.at('plain'), 'copy']), codes);
      t.equal(readFileSync(target, 'utf8'), 'the old file', `${name}: the old file is whole`);
    }),
  );
});

await t.test('uploads that the server confuses', async (t) => {
  const cases: Record<string, { lies: Record<string, Lie>; codes: readonly number[] }> = {
    'an offset behind the end': { lies: { uploadBegin: () => [1, 2 ** 40, false] }, codes: [1, ...LOST] },
    'a negative offset': { lies: { uploadBegin: () => [1, -1, false] }, codes: LOST },
    'a result where none belongs': { lies: { uploadWrite: () => 'thanks' }, codes: LOST },
    'a failure of every piece': { lies: { uploadWrite: () => new Failure('EDQUOT', 'no room') }, codes: [7] },
  };
  await Promise.all(
    Object.entries(cases).map(async ([name, { lies, codes }]) => {
      const server = await EvilServer.start(t, lies);
      writeFileSync(path.join(server.directory, 'source'), Buffer.alloc(2 * SMALL_FILE_BYTES));
      refuses(t, name, await server.ftpctl(['put', '--quiet'], ['source', server.at('copy')]), codes);
    }),
  );
});

await t.test('small files that the server confuses', async (t) => {
  const small = attributesOf(FILE, 10, 5);
  const getattr = (): unknown => small;
  const put: Record<string, { lie: Lie; codes: readonly number[] }> = {
    'no result': { lie: () => [], codes: LOST },
    'one too many': { lie: () => [null, null], codes: LOST },
    'a failure': { lie: () => [['EDQUOT', 'no\u001b[2J room']], codes: [7] },
    'a failure that is none': { lie: () => [['EDQUOT']], codes: LOST },
  };
  const get: Record<string, { lie: Lie; codes: readonly number[] }> = {
    'no file': { lie: () => [], codes: LOST },
    'one too many': { lie: () => [null, null], codes: LOST },
    'more than asked': { lie: () => [[small, Buffer.alloc(MAX_DATA)]], codes: LOST },
    'less than its size, then nothing': { lie: () => [[small, Buffer.alloc(3)]], codes: [1] },
    'a text': { lie: () => [[small, 'text!']], codes: LOST },
  };
  await Promise.all([
    ...Object.entries(put).map(async ([name, { lie, codes }]) => {
      const server = await EvilServer.start(t, { uploadFiles: lie });
      writeFileSync(path.join(server.directory, 'source'), 'bytes');
      refuses(t, name, await server.ftpctl(['put', '--quiet'], ['source', server.at('copy')]), codes);
    }),
    ...Object.entries(get).map(async ([name, { lie, codes }]) => {
      const lies = { getattr, fetch: lie, download: () => [1, small], downloadRead: () => Buffer.alloc(3) };
      const server = await EvilServer.start(t, lies);
      const target = path.join(server.directory, 'copy');
      writeFileSync(target, 'the old file');
      refuses(t, name, await server.ftpctl(['get', '--quiet'], [server.at('plain'), 'copy']), codes);
      t.equal(readFileSync(target, 'utf8'), 'the old file', `${name}: the old file is whole`);
    }),
  ]);
});

await t.test('texts that command a terminal', async (t) => {
  const text = 'gone\u001b[2J\r\n\u0007\u009b31m and\u202ereversed';
  const server = await EvilServer.start(t, { getattr: () => new Failure('ENOENT', text) });
  refuses(t, 'the text of an error', await server.ftpctl(['stat'], [server.at('plain')]), [1]);
  const farewell = await EvilServer.start(t, {
    getattr: (_, channel) => {
      notify(channel, 'shutdown', [text, false]);
      void channel.end();
      return SILENCE;
    },
  });
  refuses(t, 'the reason of a shutdown', await farewell.ftpctl(['stat'], [farewell.at('plain')]), LOST);
  const unknown = await EvilServer.start(t, {
    getattr: ({ id }, channel) => {
      channel.send([Buffer.from([0x94, 1, id, 0x92, 0xa4, 0x1b, 0x5b, 0x32, 0x4a, 0xa0, 0xc0])]);
      return SILENCE;
    },
  });
  refuses(t, 'the name of an error', await unknown.ftpctl(['stat'], [unknown.at('plain')]), [1]);
});

await t.test('a tree without end', async (t) => {
  const server = await EvilServer.start(t, {
    getattr: () => attributesOf(DIRECTORY, 1),
    // The directory is in itself, under a name that makes paths long soon.
    list: () =>
      listing(attributesOf(DIRECTORY, 1), [[Buffer.alloc(255, 'd'), attributesOf(DIRECTORY, 1), null]]),
  });
  const got = await server.ftpctl(['get', '-r', '--quiet'], [server.at('sub'), 'copy']);
  t.equal(got.code, 1, got.stderr);
  t.match(got.stderr, /name too long/, 'ends where paths of this machine do');
  t.ok(lstatSync(path.join(server.directory, 'copy')).isDirectory());
});

await t.test('a server that never comes to an end is interrupted by Ctrl-C', async (t) => {
  const entry = (name: string): unknown => [Buffer.from(name), attributesOf(FILE), null];
  let page = 0;
  const cases: Record<
    string,
    { lies: Record<string, Lie>; script?: Parameters<typeof EvilServer.start>[2] }
  > = {
    'no answer of the login': { lies: {}, script: { onAccept: () => undefined } },
    'no answer of a call': { lies: { getattr: () => SILENCE } },
    'places in the queue without end': {
      lies: {},
      script: {
        onAccept: ({ channel }) => {
          for (let place = 1; place < 2000; place++) notify(channel, 'queued', [place]);
        },
      },
    },
    'pages without end': {
      lies: {
        list: () => listing(attributesOf(DIRECTORY, 1), [entry('a')], 5),
        listNext: () => [[entry(`b${page++}`)], 5],
      },
    },
    'notifications without end': {
      lies: {
        getattr: (_, channel) => {
          for (let i = 0; i < 1000; i++) notify(channel, 'durable', [i]);
          return SILENCE;
        },
      },
    },
  };
  await Promise.all(
    Object.entries(cases).map(async ([name, { lies, script }]) => {
      const reached: { yes?: () => void } = {};
      const underway = new Promise<void>((resolve) => (reached.yes = resolve));
      const told: Record<string, Lie> = {};
      for (const [method, lie] of Object.entries(lies))
        told[method] = (question, channel) => (reached.yes?.(), lie(question, channel));
      const server = await EvilServer.start(t, told, {
        ...script,
        ...(script?.onAccept === undefined
          ? {}
          : { onAccept: (session) => (script.onAccept?.(session), reached.yes?.()) }),
      });
      const listing = server.service(['ls'], [server.at()]);
      await underway;
      listing.signal('SIGINT');
      const { code } = await listing.ends();
      t.equal(code, 130, `${name}: ${listing.output.slice(-200)}`);
    }),
  );
});

await t.test('another key than the last time', async (t) => {
  const first = await EvilServer.start(t, {});
  t.equal((await first.ftpctl(['ls'], [first.at()])).code, 0);
  const known = path.join(String(first.env['XDG_CONFIG_HOME']), 'ftpmount/known_hosts');
  const second = await EvilServer.start(t, {});
  // What was learnt of the first is known of the second: its port has another key now.
  const pinned = readFileSync(known, 'utf8').replaceAll(String(first.port), String(second.port));
  mkdirSync(path.join(String(second.env['XDG_CONFIG_HOME']), 'ftpmount'), { recursive: true, mode: 0o700 });
  writeFileSync(path.join(String(second.env['XDG_CONFIG_HOME']), 'ftpmount/known_hosts'), pinned, {
    mode: 0o600,
  });
  const refused = await second.ftpctl(['ls'], [second.at()]);
  t.equal(refused.code, 4, refused.stderr);
  t.match(refused.stderr, /HAS CHANGED|changed/i);
});
