/* The page of what is in the trash of a user, and the forms in it. */
import { userName, type UserName } from '../protocol/ids.js';
import { Administration } from '../state/administration.js';
import { formatSize } from '../state/sizes.js';
import type { Site } from './forms.js';
import type { WebOptions } from './options.js';
import { trashPage } from './pages/trash.js';

export function trashSite({ page, action }: Site, { state, ask }: WebOptions): void {
  page('/users/:name/trash', '/users', async (session, request) => {
    const name = nameIn(request.params);
    const { from } = request.query as Partial<Record<string, unknown>>;
    const position = typeof from === 'string' ? from : null;
    const administration = new Administration({ state, by: 'web page', ask });
    return trashPage(name, await administration.listTrash(name, position), position, session);
  });
  const onTrash = (
    path: string,
    act: (administration: Administration, name: UserName, id: string) => Promise<string>,
  ): void =>
    action(
      `/users/:name/trash/${path}`,
      ({ name = '' }, fields) => `/users/${encodeURIComponent(name)}/trash${queryOf(fields)}`,
      ({ accounts }, fields, parameters) => act(accounts, nameIn(parameters), fields.get('id') ?? ''),
    );
  onTrash('empty', async (administration, name) => {
    const { bytes, files } = await administration.emptyTrash(name);
    return `The trash is empty; of the quota it took ${files} files, size ${formatSize(bytes)}.`;
  });
  onTrash('restore', async (administration, name, id) => {
    return `${await administration.changeTrash(name, 'restore', id)} is back.`;
  });
  onTrash('remove', async (administration, name, id) => {
    return `${await administration.changeTrash(name, 'remove', id)} is removed for good.`;
  });
}

/** The page that the form was on. */
function queryOf(fields: URLSearchParams): string {
  const from = fields.get('from') ?? '';
  return from === '' ? '' : `?from=${encodeURIComponent(from)}`;
}

/** Throws EINVAL. */
function nameIn(parameters: unknown): UserName {
  return userName((parameters as { readonly name?: string }).name ?? '');
}
