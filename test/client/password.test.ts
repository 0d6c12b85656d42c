import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { askNewPassword, readPasswordFile } from '../../client/password.js';
import { LineEditor, type Terminal } from '../../client/terminal.js';
import { temporaryDirectory } from '../lib/directory.js';
import { failing } from '../lib/failing.js';
import { run } from '../lib/run.js';

const directory = temporaryDirectory(t);

function file(content: string | Buffer, mode = 0o600): string {
  const path = join(directory, 'password');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

t.test('the first line of a file', async (t) => {
  t.equal(readPasswordFile(file('secret\nnot this\n')), 'secret');
  t.equal(readPasswordFile(file('no line end')), 'no line end');
  t.equal(readPasswordFile(file(' spaces stay \r\n')), ' spaces stay ');
  t.equal(readPasswordFile(file('pässwörd\n')), 'pässwörd');
  t.equal(readPasswordFile(file('x'.repeat(1024))), 'x'.repeat(1024));
  t.equal(readPasswordFile(file('secret\n', 0o640)), 'secret', 'a group may read it');
});

t.test('what is no password', async (t) => {
  t.throws(() => readPasswordFile(file('x'.repeat(1025))), { kind: 'USAGE', message: /longer than 1024/ });
  t.throws(() => readPasswordFile(file('')), { kind: 'USAGE', message: /empty/ });
  t.throws(() => readPasswordFile(file('\nsecret')), { kind: 'USAGE', message: /empty/ });
  t.throws(() => readPasswordFile(file('secret\n', 0o644)), {
    kind: 'EACCES',
    message: /everybody.*chmod 600/,
  });
  t.throws(() => readPasswordFile(join(directory, 'missing')), failing('USAGE'));
  mkdirSync(join(directory, 'd'));
  t.throws(() => readPasswordFile(join(directory, 'd')), failing('USAGE'));
});

t.test('standard input, and a pipe as a shell gives it', async (t) => {
  const module = new URL('../../client/password.js', import.meta.url).href;
  const script = `import { readPasswordFile } from '${module}'; process.stdout.write(readPasswordFile(process.argv[1]));`;
  for (const path of ['-', '/dev/stdin']) {
    const pipeline = `printf 'secret\\nnot this\\n' | "$0" --input-type=module -e "$1" "$2"`;
    const result = await run('sh', ['-c', pipeline, process.execPath, script, path]);
    t.equal(result.stdout, 'secret', path);
  }
});

t.test('a new password is typed twice', async (t) => {
  const typing = (...answers: string[]): Terminal => ({
    ask: () => Promise.reject(new Error('nothing else is asked')),
    askSecret: () => Promise.resolve(answers.shift() ?? ''),
    tell: () => undefined,
    close: () => undefined,
  });
  t.equal(await askNewPassword(typing('a', 'a'), 'al'), 'a');
  await t.rejects(askNewPassword(typing('a', 'b'), 'al'), { kind: 'USAGE', message: /differ/ });
  await t.rejects(askNewPassword(typing('', ''), 'al'), { kind: 'USAGE', message: /empty/ });
});

t.test('what is typed', async (t) => {
  const typed = (bytes: string): [string, string] => {
    const line = new LineEditor();
    for (const byte of Buffer.from(bytes)) {
      const outcome = line.type(byte);
      if (outcome !== 'more') return [outcome, line.take()];
    }
    return ['more', line.take()];
  };
  t.strictSame(typed('secret\r'), ['complete', 'secret']);
  t.strictSame(typed('secret\n'), ['complete', 'secret']);
  t.strictSame(typed('abc\x7f\x08d\r'), ['complete', 'ad'], 'backspace');
  t.strictSame(typed('aé\x7fb\r'), ['complete', 'ab'], 'a character of two bytes');
  t.strictSame(typed('\x7f\x7fa\r'), ['complete', 'a'], 'backspace in an empty line');
  t.strictSame(typed('wrong\x15right\r'), ['complete', 'right'], 'Ctrl-U');
  t.strictSame(typed('\x04')[0], 'interrupted', 'Ctrl-D with nothing typed');
  t.strictSame(typed('a\x04'), ['complete', 'a']);
  t.strictSame(typed('a\x03')[0], 'interrupted', 'Ctrl-C');
  t.equal(typed(`${'x'.repeat(5000)}\r`)[1].length, 1025, 'too long to be taken for a password');
});
