/**
 * The place in a home that a person writes after HOST: as text, with `.` and `..`, which never reach the wire.
 */
import { Failure } from '../failure.js';
import { remotePath, ROOT_PATH, type RemotePath } from '../ids.js';

/**
 * The path after HOST: as a path of the home: relative to the home, also with a leading slash; `.` and `..` are
 * resolved here by the text, and `..` never leads above the home. Throws USAGE.
 */
export function parseRemotePath(text: string): RemotePath {
  const components: string[] = [];
  for (const component of text.split('/')) {
    if (component === '..') components.pop();
    else if (component !== '' && component !== '.') components.push(component);
  }
  if (components.length === 0) return ROOT_PATH;
  try {
    return remotePath(Buffer.from(components.join('/')));
  } catch (error) {
    throw new Failure('USAGE', Failure.from(error).message, { cause: error });
  }
}
