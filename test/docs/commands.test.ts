/* The commands of the documents do what they say, read from top to bottom and typed as they stand; settings exist. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { readConfigFile } from '../../daemon/config.js';
import { readClientConfig } from '../../client/config.js';
import { Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { readDocuments, type Document } from './markdown.js';
import { commandsOf, followDocument } from './reader.js';

t.setTimeout(200_000);

const documents = readDocuments();

for (const document of documents) {
  const isFollowed = document.blocks.some((block) => commandsOf(block) !== undefined);
  const skip = process.geteuid?.() === 0 ? false : 'only root has mounts of its own';
  if (isFollowed) t.test(`${document.name}: the commands`, { skip }, (t) => follow(t, document));
}

t.test('every block says what it is', async (t) => {
  const known = new Set(['sh', 'console', 'toml', 'yaml', 'ini', 'text']);
  for (const { name, blocks } of documents) {
    for (const { language, line } of blocks) t.ok(known.has(language), `${name}:${line}: ${language}`);
  }
});

t.test('settings are read as they stand', async (t) => {
  const file = path.join(temporaryDirectory(t), 'config.toml');
  for (const { name, blocks } of documents) {
    for (const { language, marks, line, text } of blocks) {
      if (language !== 'toml') continue;
      writeFileSync(file, text, { mode: 0o600 });
      const read = marks.includes('client') ? readClientConfig : readConfigFile;
      t.doesNotThrow(() => read(file), `${name}:${line}`);
    }
  }
});

/** As alice, who has an account unless the document makes it. */
async function follow(t: Test, document: Document): Promise<void> {
  const daemon = new Daemon(t, { args: ['--web-listen', '127.0.0.1:0'] });
  if (!document.blocks.some(({ text }) => /^ftpctl useradd alice/m.test(text))) {
    await daemon.addUser('alice', { quota: '1G' });
  }
  await daemon.start();
  const [, web = ''] = await daemon.service.says(/^web page on http:\/\/(\S+)$/m);
  const shown = await followDocument(t, { daemon, web }, document);
  t.match(shown, /exit code 0\s*$/, document.name);
}
