/*
 * What an administrator does with the trash of a home (state/trash-requests.ts): as a client of its user's.
 */
import { Failure } from '../../protocol/failure.js';
import { splitPath, type RemotePath, type UserName } from '../../protocol/ids.js';
import type { TrashAct, TrashAnswer, TrashItem } from '../../state/trash-requests.js';
import { OwnClient } from './own-client.js';
import type { UserHome } from './user-home.js';

/** Items of an answer, and a page of the home's own more at most. */
const ITEMS = 100;

/** EINVAL: there is no such page; ENOENT: no such item; EEXIST: something has its name. */
export async function administerTrash(home: UserHome, user: UserName, act: TrashAct): Promise<TrashAnswer> {
  if (act.kind === 'list') return list(home, act.from);
  if (act.kind === 'empty') return { items: [], next: null, removed: await home.trash.empty() };
  const id = Buffer.from(act.id, 'base64url');
  const path = home.trash.pathOf(id);
  const client = new OwnClient(home, user);
  try {
    if (act.kind === 'remove') await client.call('trashRemove', [id]);
    else await restore(client, id, path);
  } finally {
    client.end();
  }
  return { items: [], next: null, path: path?.toString() ?? null };
}

async function list(home: UserHome, from: string | null): Promise<TrashAnswer> {
  const items: TrashItem[] = [];
  let position: Buffer | null = from === null ? null : Buffer.from(from, 'latin1');
  do {
    const at = position;
    const [page, next] = await home.turns.putOff(() => home.trash.page(at));
    for (const [id, path, , bytes, sec, nsec] of page) {
      const removedAt = sec * 1000 + Math.floor(nsec / 1e6);
      items.push({ id: id.toString('base64url'), path: path?.toString() ?? null, bytes, removedAt });
    }
    position = next;
  } while (items.length < ITEMS && position !== null);
  return { items, next: position?.toString('latin1') ?? null };
}

/** To where it was, with the directories that are missing there. */
async function restore(client: OwnClient, id: Buffer, path: RemotePath | undefined): Promise<void> {
  if (path === undefined) throw new Failure('ENOENT', 'it is not known where that was');
  const parents: RemotePath[] = [];
  for (let { parent } = splitPath(path); parent.length > 0; { parent } = splitPath(parent))
    parents.unshift(parent);
  for (const parent of parents) await client.makeDirectory(parent);
  try {
    await client.call('trashRestore', [id, path]);
  } catch (error) {
    const { kind } = Failure.from(error);
    if (kind !== 'EEXIST') throw error;
    throw new Failure('EEXIST', 'something has the name that it had', { cause: error });
  }
}
