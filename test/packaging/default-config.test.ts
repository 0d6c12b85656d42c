/* The configuration file that is installed sets nothing, and names everything that can be set. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { mergeSettings, readConfigFile, SETTING_NAMES } from '../../daemon/config.js';
import { defaultConfig } from '../../packaging/default-config.js';
import { temporaryDirectory } from '../lib/directory.js';

const file = path.join(temporaryDirectory(t), 'ftpmountd.toml');

t.test('as it is installed nothing is set', async (t) => {
  writeFileSync(file, defaultConfig());
  t.strictSame(readConfigFile(file), {});
});

t.test('with all of it set there is every setting, mostly with its default', async (t) => {
  writeFileSync(file, defaultConfig().replace(/^#(?! )/gm, ''));
  const given = readConfigFile(file);
  t.strictSame(Object.keys(given), SETTING_NAMES);
  const examples = [
    'web-listen',
    'web-host',
    'home',
    'state',
    'user',
    'workers',
    'bandwidth',
    'default-quota',
    'default-trash',
    'log-file',
  ] as const;
  t.match(
    { ...mergeSettings(given), ...Object.fromEntries(examples.map((name) => [name, 0])) },
    {
      ...mergeSettings({}),
      ...Object.fromEntries(examples.map((name) => [name, 0])),
    },
  );
});
