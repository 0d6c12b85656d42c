/*
 * What --exclude and --include leave out: the cases are those of rsync's manual, and were tried with rsync.
 */
import t from 'tap';
import { isExcluded, parseRule } from '../../../ctl/transfer/filter.js';
import { Failure } from '../../../protocol/failure.js';

/** Whether `- pattern` alone leaves a path out; one that ends with a slash is a directory. */
function leavesOut(pattern: string, path: string): boolean {
  const isDirectory = path.endsWith('/');
  return isExcluded([parseRule(pattern, true)], Buffer.from(path.replace(/\/$/, '')), isDirectory);
}

t.test('one pattern', async (t) => {
  for (const [pattern, matched, others] of [
    ['*.o', ['a.o', '.o', 'x/y/a.o', 'dir.o/'], ['a.os', 'a.o/b']],
    ['foo', ['foo', 'a/foo', 'a/foo/'], ['foobar', 'foo/a']],
    ['foo/', ['foo/', 'a/foo/'], ['foo', 'a/foo']],
    ['/foo', ['foo', 'foo/'], ['a/foo']],
    ['/foo/*.c', ['foo/a.c'], ['foo/b/a.c', 'x/foo/a.c']],
    ['foo/bar', ['foo/bar', 'x/foo/bar/'], ['xfoo/bar', 'foo/x/bar', 'bar']],
    ['foo/*/bar', ['foo/x/bar', 'y/foo/x/bar'], ['foo/bar', 'foo/x/y/bar']],
    ['foo/**/bar', ['foo/x/bar', 'foo/x/y/bar'], ['foo/bar']],
    ['foo/**', ['foo/x', 'foo/x/y/', 'a/foo/x'], ['foo', 'foo/']],
    ['**/bar', ['bar', 'x/bar', 'x/y/bar'], ['xbar', 'bar/x']],
    ['a**z', ['az', 'a/b/z', 'x/a/z'], ['a/b/zy']],
    ['f?o', ['foo', 'x/fio'], ['fo', 'f/o']],
    ['/a*z', ['abz'], ['a/z']],
    ['[a-c]x', ['ax', 'd/cx'], ['dx', '/x']],
    ['[!a-c]x', ['dx'], ['ax', 'd/x/y']],
    [String.raw`a\*`, ['a*'], ['ab']],
  ] as const) {
    for (const path of matched) t.ok(leavesOut(pattern, path), `${pattern} ${path}`);
    for (const path of others) t.notOk(leavesOut(pattern, path), `${pattern} not ${path}`);
  }
});

t.test('the first rule that matches decides, and what none matches is copied', async (t) => {
  const rules = [parseRule('keep.o', false), parseRule('*.o', true), parseRule('keep.*', true)];
  const isOut = (path: string): boolean => isExcluded(rules, Buffer.from(path), false);
  t.same(['keep.o', 'a.o', 'keep.c', 'a.c'].map(isOut), [false, true, true, false]);
});

t.test('? is a character; a name that is no UTF-8 is matched byte by byte', async (t) => {
  t.ok(leavesOut('gr?n', 'grün'));
  const name = Buffer.from([0x66, 0xff, 0x6f]);
  t.ok(isExcluded([parseRule('f?o', true)], name, false));
  t.notOk(isExcluded([parseRule('f??o', true)], name, false));
});

t.test('what is no pattern', async (t) => {
  for (const text of ['', '/', '//']) t.throws(() => parseRule(text, true), Failure, text);
});

t.test('many stars take no time', async (t) => {
  const path = Buffer.from('a'.repeat(4000));
  t.notOk(isExcluded([parseRule(`${'*a'.repeat(30)}b`, true)], path, false));
});
