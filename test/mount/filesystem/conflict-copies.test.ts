import t from 'tap';
import { CREATE, operation, WRITE, type Write } from '../../../protocol/operations.js';
import { AwaitedChanges } from '../../../mount/filesystem/awaited-changes.js';
import { ChangeNumbers } from '../../../mount/filesystem/change-numbers.js';
import { ConflictCopies } from '../../../mount/filesystem/conflict-copies.js';
import { KernelView } from '../../../mount/filesystem/kernel-view.js';
import { Losses } from '../../../mount/filesystem/losses.js';
import { LostData } from '../../../mount/filesystem/lost-data.js';
import { Log } from '../../../mount/log/log.js';
import { attributesOf, makeFile, newId, NOW, plant } from '../tree/planted.js';
import { NOTHING } from '../log/operations.js';

t.test(
  'a copy has what was written while the file was called otherwise, and belongs to the same',
  async (t) => {
    const { tree, root } = plant({ whole: true });
    const quiet = (): void => undefined;
    const settled = (): Promise<void> => Promise.resolve();
    const caches = {
      ...{ invalidateNode: quiet, invalidateEntry: quiet, prune: quiet, settled, acted: 0, mapsDirect: true },
    };
    const kernel = new KernelView({ tree, caches, ownership: { uid: 0, gid: 0 } });
    const losses = new Losses({
      ...{ tree, kernel, log: { error: quiet }, lostData: new LostData(t.testdir()), currentId: (id) => id },
    });
    const written: string[] = [];
    const owners: unknown[] = [];
    const changes = new AwaitedChanges({
      numbers: new ChangeNumbers(),
      request: (method, params, data, done) => {
        const answer = done as (failure: undefined, result: unknown) => void;
        if (method !== 'change') return answer(undefined, root.attributes);
        const change = operation(params[1]);
        if (change.kind === CREATE) owners.push(change.owner);
        const size = change.kind === WRITE ? (change.offset ?? 0) + (data?.length ?? 0) : 0;
        if (change.kind === WRITE) written.push(`${String(change.file.ino)} ${String(data)}`);
        answer(undefined, [attributesOf(77, undefined, { size })]);
      },
    });

    const log = new Log({ failed: quiet, told: quiet });
    const file = makeFile(tree, root, 'f');
    file.attributes = { ...file.attributes, owner: { uid: 5, gid: 6 } };
    const former = file.id;
    log.write(former, 0, Buffer.from('early'), NOW, NOTHING);
    log.take();
    log.answered(1, 0, []);
    tree.identified(file, newId());
    const until = log.write(file.id, 5, Buffer.from('late'), NOW, NOTHING);

    const copies = new ConflictCopies({
      ...{ tree, changes, losses, suffix: '.conflict' },
      ids: { of: (id) => (id.ino === former.ino ? file.id : id) },
    });
    const first: Write = { ...until.operation };
    const ref = { ...file.id, path: null };
    const copy = await copies.make(file, ref, { there: false, first, until });
    await copies.apply(copy, first);
    t.same(written, ['77 early', '77 late']);
    t.same(owners, [{ uid: 5, gid: 6 }]);
  },
);
