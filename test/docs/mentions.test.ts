/* What the documents mention is there: commands and options between backquotes, files, and the messages of programs. */
import { existsSync } from 'node:fs';
import t from 'tap';
import { runProgram } from '../lib/programs.js';
import { FOLDERS, readSources } from '../lib/sources.js';
import { codeOf, linksOf, readDocuments, ROOT } from './markdown.js';

/** How far apart two parts of a message may be in the code: what is between them is put in (characters). */
const FAR = 120;

const documents = readDocuments();

t.test('links lead to files that are there', async (t) => {
  for (const document of documents) {
    for (const link of linksOf(document).filter((one) => !/^https?:|^#/.test(one))) {
      t.ok(existsSync(new URL(link, new URL(document.name, ROOT))), `${document.name}: ${link}`);
    }
  }
});

t.test('tests, and what else is named by its path in the sources, are there', async (t) => {
  const folder = new RegExp(`^(?:${FOLDERS.join('|')})/`);
  for (const document of documents) {
    for (const place of codeOf(document).filter((one) => folder.test(one) && /^[-\w/.]+$/.test(one))) {
      const endings = ['', '.ts', '.test.ts'];
      t.ok(
        endings.some((ending) => existsSync(new URL(`${place}${ending}`, ROOT))),
        `${document.name}: ${place}`,
      );
    }
  }
});

t.test('commands and options of ftpctl', async (t) => {
  const { stdout } = await runProgram('ftpctl', ['completion', 'bash']);
  /** By the names of the command and of what it is part of, each after a space. */
  const options = new Map(
    [...stdout.matchAll(/^ +'(.*)'\) commands='.*' options='(.*)' hosts=/gm)].map(
      ([, path = '', list = '']) => [path, list.split(' ')],
    ),
  );
  t.ok(options.size > 30);
  for (const document of documents) {
    for (const code of codeOf(document).filter((one) => /^ftpctl -?[a-z]/.test(one))) {
      const words = code.split(' ').slice(1);
      if (/^-[sp]$/.test(words[0] ?? '')) words.unshift('shell');
      let path = '';
      while (options.has(`${path} ${words[0]}`)) path += ` ${words.shift()}`;
      for (const option of words.flatMap((word) => /^-(?:-[-a-z]+|\w)/.exec(word)?.[0] ?? [])) {
        t.ok(options.get(path)?.includes(option), `${document.name}: ${code}: ${option}`);
      }
      t.ok(path !== '' || words[0]?.startsWith('-'), `${document.name}: ${code}`);
    }
  }
});

for (const program of ['ftpmount', 'ftpmountd'] as const) {
  t.test(`options of ${program}`, async (t) => {
    const { stdout } = await runProgram(program, ['--help']);
    for (const document of documents) {
      for (const code of codeOf(document).filter((one) => one.startsWith(`${program} `))) {
        for (const [, option = ''] of code.matchAll(/ (-(?:-[-a-z]+|[a-z]))/g)) {
          t.match(stdout, new RegExp(`^ +(?:-\\w, )?${option}[ ,\n]`, 'm'), `${document.name}: ${code}`);
        }
      }
    }
  });
}

t.test('each message that is explained is one that a program says', async (t) => {
  const code = readSources()
    .filter(({ file }) => !/^(?:test|bench|demo|packaging)\//.test(file))
    // As it is said: what is put in is not known, and a text may be on more than one line.
    .map(({ text }) => text.replaceAll("\\'", "'").replaceAll(/(['"`]) \+\s+(['"`])/g, ''))
    .join('\n');
  const prose = documents.find(({ name }) => name === 'docs/troubleshooting.md')?.prose ?? '';
  const messages = [...prose.matchAll(/^\| `([^`]+)` \|/gm)].map(([, message = '']) => message);
  t.ok(messages.length > 50);
  for (const message of messages)
    t.ok(
      isSaid(
        code,
        message.split('…').filter((part) => part !== ''),
      ),
      message,
    );
});

/** Whether the parts are there one after the other, with not much in between. */
function isSaid(code: string, [first = '', ...rest]: readonly string[], from = 0): boolean {
  const end = from === 0 ? code.length : from + FAR;
  for (let at = code.indexOf(first, from); at >= 0 && at <= end; at = code.indexOf(first, at + 1)) {
    if (rest.length === 0 || isSaid(code, rest, at + first.length)) return true;
  }
  return false;
}
