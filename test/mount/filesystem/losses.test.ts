import { readFileSync } from 'node:fs';
import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { KernelView } from '../../../mount/filesystem/kernel-view.js';
import { Losses } from '../../../mount/filesystem/losses.js';
import { WriteEntry } from '../../../mount/log/write-entry.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { NOTHING } from '../log/operations.js';
import { makeFile, newId, NOW, outcomeOf, plant } from '../tree/planted.js';

const DISK_FULL = new Failure('ENOSPC', 'the disk is full');

t.test('a loss is told by the file that the log still calls by a former id', async (t) => {
  const { tree, root } = plant({ whole: true });
  const quiet = (): void => undefined;
  const kernel = new KernelView({
    tree,
    caches: {
      invalidateNode: quiet,
      invalidateEntry: quiet,
      settled: () => Promise.resolve(),
      mapsDirect: true,
    },
    ownership: { uid: 0, gid: 0 },
  });
  const kept: string[] = [];
  const file = makeFile(tree, root, 'f');
  const former = file.id;
  const losses = new Losses({
    ...{ tree, kernel, directory: temporaryDirectory(t) },
    log: { error: (details) => kept.push((details as { kept: string }).kept) },
    currentId: (id) => (id.ino === former.ino ? file.id : id),
  });
  const entry = new WriteEntry(former, 0, Buffer.from('words'), NOW, NOTHING, 0);
  tree.identified(file, newId());

  losses.failed(entry, DISK_FULL);
  t.equal(
    outcomeOf(() => losses.tell(file)),
    'ENOSPC',
    'the next write, fsync or close fails',
  );
  t.equal(
    outcomeOf(() => losses.tell(file)),
    'done',
    'once',
  );
  t.equal(readFileSync(kept[0] ?? '', 'latin1'), 'words');
  t.match(kept[0], /f$/, 'under its name');
});
