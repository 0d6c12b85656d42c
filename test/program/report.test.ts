import { readFileSync } from 'node:fs';
import t from 'tap';
import { Failure, type FailureKind } from '../../protocol/failure.js';
import { EXIT_CODES_HELP, exitCodeOf } from '../../program/exit-codes.js';
import { ordinal } from '../../client/queue-display.js';
import { describe, printable } from '../../program/report.js';

t.test('one line, whatever was thrown', async (t) => {
  t.equal(describe(new Failure('ECONNREFUSED', 'x refused: is it there?')), 'x refused: is it there?');
  t.equal(describe(new Failure('ENOENT')), 'no such file or directory', 'a bare kind in plain words');
  t.equal(
    describe(new Failure('EDQUOT', 'full')),
    'full: remove something or ask for a larger quota (`ftpctl df` shows it)',
  );
  t.equal(describe(new Failure('ENOTEMPTY', 'unlinkat: ENOTEMPTY')), 'directory not empty');
  let thrown: unknown;
  try {
    readFileSync('/nowhere/to\nbe/found');
  } catch (error) {
    thrown = error;
  }
  t.equal(describe(thrown), '/nowhere/to\\nbe/found: no such file or directory');
  t.equal(
    describe(new TypeError('x is\nnot a function')),
    'internal error (TypeError: x is\\nnot a function): please report it',
  );
  t.notMatch(describe(new Error('bug')), /at .*:\d+/, 'no stack');
  t.equal(describe(undefined), 'internal error (undefined): please report it');
  t.equal(
    describe(new Failure('EIO', 'internal error')),
    'the server had an internal error: its log says more',
    'as a server answers',
  );
});

t.test('no text commands the terminal', async (t) => {
  t.equal(printable('a\x1b[2Jb\rc\x07\u009b1m'), 'a\\x1b[2Jb\\x0dc\\x07\\x9b1m');
  t.equal(printable('evil\u202etxt.exe'), 'evil\\u202etxt.exe');
  t.equal(printable('grün 日本'), 'grün 日本');
});

t.test('exit codes', async (t) => {
  const codes: readonly (readonly [FailureKind, number])[] = [
    ['ENOENT', 1],
    ['USAGE', 2],
    ['ECONNREFUSED', 3],
    ['EHOSTUNREACH', 3],
    ['ETIMEDOUT', 3],
    ['ECONNRESET', 3],
    ['PROTOCOL', 3],
    ['HOSTKEY', 4],
    ['EKEYREJECTED', 5],
    ['ENOKEY', 5],
    ['EUSERS', 6],
    ['EDQUOT', 7],
    ['ENOSPC', 7],
    ['ECANCELED', 130],
  ];
  for (const [kind, code] of codes) {
    t.equal(exitCodeOf(new Failure(kind)), code, kind);
    t.match(EXIT_CODES_HELP, new RegExp(`^  ${code} `, 'm'), `${code} is in the help`);
  }
});

t.test('ordinals', async (t) => {
  const expected = [
    '1st',
    '2nd',
    '3rd',
    '4th',
    '10th',
    '11th',
    '12th',
    '13th',
    '21st',
    '22nd',
    '101st',
    '111th',
    '112th',
    '1003rd',
  ];
  t.strictSame(
    expected.map((text) => ordinal(Number.parseInt(text, 10))),
    expected,
  );
});
