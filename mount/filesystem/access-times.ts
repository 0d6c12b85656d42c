/**
 * Whether reading moves a file's atime (-o relatime, strictatime, nodiratime): the kernel leaves it to the file system.
 *
 * It moves with a read that the kernel asks for; what the kernel answers from its own cache nobody hears of. So where a read is
 * to move it, the kernel is not to keep what it has at the next open(2). Only under a lease: nobody waits for the server to read.
 */
import type { Timestamp } from '../../protocol/attributes.js';
import type { Inode } from '../tree/inode.js';
import type { AttributeUpdates } from './attribute-updates.js';
import type { Home } from './home.js';

/** When reading moves atime: never; when it is not newer than mtime and ctime, or a day old; always. */
export type AtimePolicy = 'noatime' | 'relatime' | 'strictatime';

export interface AtimePolicies {
  readonly files: AtimePolicy;
  readonly directories: AtimePolicy;
}

const DAY_SECONDS = 86_400;

export class AccessTimes {
  readonly #home: Home;
  readonly #attributes: AttributeUpdates;
  readonly #policies: AtimePolicies;
  /** Whether any read does. */
  readonly move: boolean;

  constructor(home: Home, attributes: AttributeUpdates, policies: AtimePolicies) {
    this.#home = home;
    this.#attributes = attributes;
    this.#policies = policies;
    this.move = policies.files !== 'noatime' || policies.directories !== 'noatime';
  }

  /** Whether a read moves it now. */
  isDue(inode: Inode): boolean {
    const policy = this.#policies[inode.isDirectory() ? 'directories' : 'files'];
    if (policy === 'noatime' || !this.#home.tree.mayChange(inode)) return false;
    return policy === 'strictatime' || isOld(inode);
  }

  /** It was read. */
  read(inode: Inode): void {
    if (this.isDue(inode)) this.#attributes.accessed(inode);
  }
}

function isOld({ attributes: { atime, mtime, ctime } }: Inode): boolean {
  return !isNewer(atime, mtime) || !isNewer(atime, ctime) || Date.now() / 1000 - atime.sec >= DAY_SECONDS;
}

function isNewer(a: Timestamp, b: Timestamp): boolean {
  return a.sec > b.sec || (a.sec === b.sec && a.nsec > b.nsec);
}
