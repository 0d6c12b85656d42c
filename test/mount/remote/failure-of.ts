/* What an action fails with, for tests that compare kinds of failures. */
import { Failure } from '../../../protocol/failure.js';

/** The kind of the failure that an action ends with. */
export async function failureOf(action: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof action === 'function' ? action() : action);
  } catch (error) {
    return error instanceof Failure ? error.kind : String(error);
  }
  return 'no failure';
}
