/*
 * The configuration file that is installed: every setting that the daemon knows, by its own table, commented out with its
 * default, so that nothing is set by it and nothing can be missing in it.
 */
import { SETTING_NAMES, SETTINGS, type SettingName } from '../daemon/config.js';

/** What stands for a setting whose default is none, is not of this type, or depends on the machine. */
const EXAMPLES: Partial<Record<SettingName, string | number>> = {
  listen: ':8083',
  'web-listen': '127.0.0.1:8084',
  'web-host': 'server.example',
  home: '/var/lib/ftpmount/homes',
  state: '/var/lib/ftpmount',
  user: 'ftpmount',
  workers: 4,
  bandwidth: '100M',
  'default-quota': '5G',
  'default-trash': '30d',
  'log-file': '/var/lib/ftpmount/ftpmountd.log',
};

const HEAD = `# ftpmountd reads this at its start, and again on "systemctl reload ftpmountd". What is commented out is the default, or an
# example where the default is none. See ftpmountd.toml(5).
`;

/** A value in TOML: the default, or an example where that is none. */
export function exampleOf(name: SettingName): string {
  return JSON.stringify(EXAMPLES[name] ?? SETTINGS[name].fallback);
}

export function defaultConfig(): string {
  const entries = SETTING_NAMES.map((name) => {
    const { help, reloads } = SETTINGS[name];
    const effect = reloads ? '' : '; takes effect at the next start';
    return `\n# ${help.replace(' (default: see below)', '')}${effect}\n#${name} = ${exampleOf(name)}\n`;
  });
  return HEAD + entries.join('');
}
