/**
 * What a path that somebody types may become: the names in its directory that begin as it ends. What begins with a dot is offered
 * where a dot is typed, and what cannot be typed is not.
 */
import type { Lister } from './glob.js';

export interface Candidate {
  /** The last name of the path. */
  readonly name: string;
  readonly isDirectory: boolean;
}

/** In the order of the names. */
export async function pathCandidates(path: string, list: Lister): Promise<Candidate[]> {
  const { directory, name: begun } = splitTyped(path);
  return (await list(Buffer.from(directory)))
    .flatMap(({ name, isDirectory }) => {
      const text = typeable(name);
      return text === undefined ? [] : [{ name: text, isDirectory }];
    })
    .filter(({ name }) => name.startsWith(begun) && (begun !== '' || !name.startsWith('.')))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The directory with its slash, and what is typed behind it. */
export function splitTyped(path: string): { readonly directory: string; readonly name: string } {
  const end = path.lastIndexOf('/') + 1;
  return { directory: path.slice(0, end), name: path.slice(end) };
}

/** The text that means a name; undefined where it cannot be typed. */
function typeable(name: Buffer): string | undefined {
  const text = name.toString('utf8');
  return Buffer.from(text).equals(name) && !/\p{Cc}/u.test(text) ? text : undefined;
}
