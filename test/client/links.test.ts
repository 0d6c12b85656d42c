/* Where links of a home lead, against a home that is a table. */
import t from 'tap';
import { Failure } from '../../protocol/failure.js';
import { throughLinks, withoutLinks } from '../../client/links.js';
import { parseRemotePath } from '../../client/remote-path.js';

const LINKS: Readonly<Record<string, string>> = {
  here: 'd',
  'd/up': '../other/./',
  'd/twice': 'up/x',
  'other/x': '../file',
  loop: 'loop',
  a: 'b',
  b: 'a',
  out: '../..',
  'd/out': '../../d',
  absolute: '/etc',
  home: '.',
  dangling: 'nothing',
};

const readLink = (path: Buffer): Promise<Buffer> => {
  const target = LINKS[path.toString()];
  if (target === undefined) return Promise.reject(new Failure('EINVAL'));
  return Promise.resolve(Buffer.from(target));
};
const led = async (text: string, last: 'kept' | 'followed' = 'followed'): Promise<string> =>
  (await withoutLinks(readLink, parseRemotePath(text), last)).toString();

t.test('what a path leads to', async (t) => {
  for (const [from, to] of [
    ['', ''],
    ['plain/path', 'plain/path'],
    ['here', 'd'],
    ['here/f', 'd/f'],
    ['here/up/f', 'other/f'],
    ['here/twice', 'file'],
    ['home', ''],
    ['home/here', 'd'],
    ['dangling', 'nothing'],
  ] as const)
    t.equal(await led(from), to, from);
  t.equal(await led('here', 'kept'), 'here');
  t.equal(await led('here/twice', 'kept'), 'd/twice');
});

t.test('out of the home and round in circles', async (t) => {
  for (const path of ['out', 'out/d', 'd/out', 'absolute', 'absolute/passwd'])
    await t.rejects(led(path), { name: 'Failure', kind: 'EXDEV', message: /leads out of the home/ }, path);
  t.equal(await led('absolute', 'kept'), 'absolute');
  for (const path of ['loop', 'loop/x', 'a'])
    await t.rejects(led(path), { name: 'Failure', kind: 'ELOOP' }, path);
});

t.test('an action is tried as it was meant, and again only where a link was in its way', async (t) => {
  const acted: string[] = [];
  const act = (kind: 'ELOOP' | 'ENOENT') => (path: Buffer) => {
    acted.push(path.toString());
    return acted.length === 1 ? Promise.reject(new Failure(kind)) : Promise.resolve('done');
  };
  t.equal(await throughLinks(readLink, parseRemotePath('here/f'), 'kept', act('ELOOP')), 'done');
  t.strictSame(acted.splice(0), ['here/f', 'd/f']);
  await t.rejects(throughLinks(readLink, parseRemotePath('here/f'), 'kept', act('ENOENT')), {
    name: 'Failure',
    kind: 'ENOENT',
  });
  t.strictSame(acted.splice(0), ['here/f']);
  await t.rejects(throughLinks(readLink, parseRemotePath('d/f'), 'kept', act('ELOOP')), {
    name: 'Failure',
    kind: 'ELOOP',
  });
  t.strictSame(acted, ['d/f'], 'there was none');
});
