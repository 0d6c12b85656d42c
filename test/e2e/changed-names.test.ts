/*
 * Names that another mount has just changed: what is done by such a name here has the outcome that it has on a disk. The kernel
 * has each directory at one place, and tells ESTALE where it cannot move it to where it is found now.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome, type Mounted } from '../lib/mounted.js';

type Kind = 'file' | 'directory' | 'filled directory';

/** Makes something of a name. */
function make(at: Mounted, name: string, kind: Kind): void {
  if (kind === 'file') writeFileSync(at.path(name), '');
  else mkdirSync(at.path(name));
  if (kind === 'filled directory') writeFileSync(at.path(name, 'in it'), '');
}

/** The errno of what fails. */
function outcome(call: () => void): string {
  try {
    call();
    return 'done';
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    // Node has no name for all of them.
    return code?.startsWith('E') === true ? code : String(errno);
  }
}

for (const args of [[], ['-o', 'nolease']]) {
  t.test(`two mounts ${args.join(' ')}`, async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const here = await mountHome(t, daemon, 'alice', { args });
    const there = await mountHome(t, daemon, 'alice', { args });
    let directories = 0;
    const directory = (): string => {
      const name = `d${(directories += 1)}`;
      mkdirSync(here.path(name));
      return name;
    };

    t.test('a directory that was moved there is renamed here, wherever to', async (t) => {
      const wheres = ['elsewhere', 'back', 'from above', 'beside'] as const;
      for (const [where, used] of wheres.flatMap((each) => [[each, false] as const, [each, true] as const])) {
        const [x, y, z] = [directory(), directory(), directory()];
        mkdirSync(here.path(x, 'moving'));
        make(here, `${x}/moving/below`, 'filled directory');
        statSync(here.path(x, 'moving', 'below', 'in it'));
        // The kernel has the directory where it was as long as a program has something open in it.
        const open = used ? openSync(here.path(x, 'moving', 'below', 'in it'), 'r') : undefined;
        renameSync(there.path(x, 'moving'), there.path(y, 'moving'));
        const to = { elsewhere: `${z}/to`, back: `${x}/to`, 'from above': 'to', beside: `${y}/to` }[where];
        const renamed = outcome(() => renameSync(here.path(y, 'moving'), here.path(to)));
        t.equal(renamed, 'done', `${where}${used ? ', in use' : ''}`);
        t.ok(statSync(there.path(to, 'below', 'in it')).isFile());
        renameSync(there.path(to), there.path(x, 'away'));
        t.equal(
          outcome(() => statSync(here.path(x, 'away', 'below', 'in it'))),
          'done',
        );
        if (open !== undefined) closeSync(open);
      }
    });

    t.test('a directory that was moved there is replaced here', async (t) => {
      const [x, y, z] = [directory(), directory(), directory()];
      mkdirSync(here.path(x, 'name'));
      mkdirSync(here.path(z, 'name'));
      statSync(here.path(x, 'name'));
      renameSync(there.path(x, 'name'), there.path(y, 'name'));
      t.equal(
        outcome(() => renameSync(here.path(z, 'name'), here.path(y, 'name'))),
        'done',
      );
    });

    t.test('what a name became there decides what is done to it here', async (t) => {
      const kinds: readonly Kind[] = ['file', 'directory', 'filled directory'];
      const over: Record<Kind, Record<Kind, string>> = {
        file: { file: 'done', directory: 'EISDIR', 'filled directory': 'EISDIR' },
        directory: { file: 'ENOTDIR', directory: 'done', 'filled directory': 'ENOTEMPTY' },
        'filled directory': { file: 'ENOTDIR', directory: 'done', 'filled directory': 'ENOTEMPTY' },
      };
      const removing: Record<Kind, { unlink: string; rmdir: string }> = {
        file: { unlink: 'done', rmdir: 'ENOTDIR' },
        directory: { unlink: 'EISDIR', rmdir: 'done' },
        'filled directory': { unlink: 'EISDIR', rmdir: 'ENOTEMPTY' },
      };
      for (const before of [undefined, ...kinds]) {
        for (const now of kinds) {
          /** Another one has the name by now. */
          const exchanged = (): string => {
            const d = directory();
            if (before !== undefined) make(here, `${d}/name`, before);
            t.equal(
              outcome(() => statSync(here.path(d, 'name'))),
              before === undefined ? 'ENOENT' : 'done',
            );
            if (before !== undefined) renameSync(there.path(d, 'name'), there.path(d, 'former'));
            make(there, `${d}/name`, now);
            return `${d}/name`;
          };
          const what = `${before ?? 'nothing'} that became a ${now}`;
          for (const moved of kinds) {
            const from = `${directory()}/from`;
            make(here, from, moved);
            const name = exchanged();
            const renamed = outcome(() => renameSync(here.path(from), here.path(name)));
            t.equal(renamed, over[moved][now], `${moved} over ${what}`);
          }
          const { unlink, rmdir } = removing[now];
          const [unlinked, removed] = [exchanged(), exchanged()];
          t.equal(
            outcome(() => unlinkSync(here.path(unlinked))),
            unlink,
            `unlink of ${what}`,
          );
          t.equal(
            outcome(() => rmdirSync(here.path(removed))),
            rmdir,
            `rmdir of ${what}`,
          );
        }
      }
    });
  });
}
