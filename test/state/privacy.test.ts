import { chmodSync, linkSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { statePaths } from '../../state/directory.js';
import { closeToOthers } from '../../state/privacy.js';
import { temporaryDirectory } from '../lib/directory.js';

t.test('files of the state are closed to others; what a link leads to is left alone', async (t) => {
  const root = temporaryDirectory(t);
  const directory = join(root, 'state');
  mkdirSync(directory, { mode: 0o700 });
  const modeOf = (path: string): number => statSync(path).mode & 0o777;
  const make = (path: string): string => {
    writeFileSync(path, '');
    chmodSync(path, 0o644);
    return path;
  };
  const log = make(join(directory, 'manager.log'));
  const aside = make(join(directory, 'manager.log.1'));
  const other = make(join(directory, 'notes'));
  const linked = make(join(root, 'linked'));
  const alsoNamed = make(join(root, 'also-named'));
  symlinkSync(linked, join(directory, 'manager.log.2'));
  linkSync(alsoNamed, join(directory, 'manager.log.3'));
  closeToOthers(statePaths(directory));
  t.strictSame([log, aside].map(modeOf), [0o600, 0o600]);
  t.strictSame([other, linked, alsoNamed].map(modeOf), [0o644, 0o644, 0o644]);
});
