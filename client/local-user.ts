/** Who runs this program, by name. */
import { userInfo } from 'node:os';

/** Undefined for a user id that the system has no name for, as often in a container. */
export function localUserName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
