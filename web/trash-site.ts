/* The page of what is in the trash of a user, and the forms in it. */
import { userName, type UserName } from '../protocol/ids.js';
import { Administration } from '../state/administration.js';
import { formatSize } from '../state/sizes.js';
import { formsOf, nameIn, type Administrations, type Site } from './forms.js';
import type { WebOptions } from './options.js';
import { trashPage } from './pages/trash.js';

export function trashSite({ page, action }: Site, { state, ask }: WebOptions): void {
  page('/users/:name/trash', '/users', async (session, request) => {
    const name = nameIn(request.params, userName);
    const { from } = request.query as Partial<Record<string, unknown>>;
    const position = typeof from === 'string' ? from : null;
    const administration = new Administration({ state, by: 'web page', ask });
    return trashPage(name, await administration.listTrash(name, position), position, session);
  });
  const ofTrash = formsOf(action, '/users', userName);
  const toTrash = (name: string, fields: URLSearchParams): string => `/users/${name}/trash${queryOf(fields)}`;
  const empty = async ({ accounts }: Administrations, name: UserName): Promise<string> => {
    const { bytes, files } = await accounts.emptyTrash(name);
    return `The trash is empty; of the quota it took ${files} files, size ${formatSize(bytes)}.`;
  };
  ofTrash('trash/empty', empty, toTrash);
  for (const [act, done] of [
    ['restore', 'is back'],
    ['remove', 'is removed for good'],
  ] as const) {
    ofTrash(
      `trash/${act}`,
      async ({ accounts }, name, fields) =>
        `${await accounts.changeTrash(name, act, fields.get('id') ?? '')} ${done}.`,
      toTrash,
    );
  }
}

/** The page that the form was on. */
function queryOf(fields: URLSearchParams): string {
  const from = fields.get('from') ?? '';
  return from === '' ? '' : `?from=${encodeURIComponent(from)}`;
}
