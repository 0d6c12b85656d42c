/**
 * The place in a home that a person writes after HOST: with `.` and `..`, which never reach the wire.
 */
import { Failure } from '../protocol/failure.js';
import { remotePath, ROOT_PATH, type RemotePath } from '../protocol/ids.js';

/**
 * The path after HOST: as a path of the home: relative to `from`, with a leading slash to the home; `.` and `..` are
 * resolved here by the text, and `..` never leads above the home. Throws USAGE.
 */
export function parseRemotePath(text: string | Buffer, from: RemotePath = ROOT_PATH): RemotePath {
  // Bytes, one a character.
  const typed = Buffer.from(text).toString('latin1');
  const components: string[] = [];
  const whole = typed.startsWith('/') ? typed : `${from.toString('latin1')}/${typed}`;
  for (const component of whole.split('/')) {
    if (component === '..') components.pop();
    else if (component !== '' && component !== '.') components.push(component);
  }
  if (components.length === 0) return ROOT_PATH;
  try {
    return remotePath(Buffer.from(components.join('/'), 'latin1'));
  } catch (error) {
    throw new Failure('USAGE', Failure.from(error).message, { cause: error });
  }
}
