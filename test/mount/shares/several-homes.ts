/*
 * A mount of several homes in memory: the own one, with `Shared` in it, and those of shares, which a test makes, breaks and takes
 * away.
 */
import { HomeWithShares } from '../../../mount/shares/home-with-shares.js';
import { Shares, type ShareHome } from '../../../mount/shares/shares.js';
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE, shareName, type NodeId } from '../../../protocol/ids.js';
import type { Share } from '../../../protocol/shares.js';
import { MemoryHome } from './memory-home.js';

export class ShareInMemory implements ShareHome {
  readonly filesystem = new MemoryHome();
  ended: Failure | undefined;
  rights = 0;

  rightsChanged(): void {
    this.rights += 1;
  }
}

export function shareOf(name: string, isWritable = true): Share {
  return { name: shareName(name), isWritable };
}

export class SeveralHomes {
  readonly own: MemoryHome;
  /** Those that were entered, in order. */
  readonly entered: ShareInMemory[] = [];
  /** Those that were left, and written back. */
  readonly left: ShareInMemory[] = [];
  /** Names that the kernel was told to look up again. */
  readonly dropped: string[] = [];
  readonly logged: string[] = [];
  /** What entering does, before it succeeds. */
  onEnter: (signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  /** Of `Shared`. */
  readonly shared: NodeId;
  readonly shares: Shares<ShareInMemory>;
  readonly filesystem: HomeWithShares;

  /** The one that was entered first. */
  get first(): ShareInMemory {
    const [first] = this.entered;
    if (first === undefined) throw new Error('no share was entered');
    return first;
  }

  private constructor(shared: NodeId, own: MemoryHome, shares: readonly Share[]) {
    this.own = own;
    this.shared = shared;
    const caches = {
      invalidateNode: () => undefined,
      invalidateEntry: (_parent: NodeId, name: Buffer) => void this.dropped.push(name.toString()),
      prune: () => undefined,
      settled: () => Promise.resolve(),
      acted: 0,
      mapsDirect: false,
    };
    this.shares = new Shares<ShareInMemory>({
      ...{ shares, caches },
      log: { warn: (details, message) => this.logged.push(`${message} ${JSON.stringify(details)}`) },
      enter: async (_name, _isWritable, _caches, signal) => {
        await this.onEnter(signal);
        const share = new ShareInMemory();
        this.entered.push(share);
        return share;
      },
      left: (share) => this.left.push(share),
    });
    this.filesystem = new HomeWithShares({
      ...{ own, caches, shares: this.shares },
      sharedNodes: () => [shared],
    });
  }

  /** With `Shared/NAME` for each share. */
  static async make(...shares: readonly Share[]): Promise<SeveralHomes> {
    const own = new MemoryHome();
    const shared = await own.plant(ROOT_NODE, 'Shared');
    for (const { name } of shares) await own.plant(shared, name);
    return new SeveralHomes(shared, own, shares);
  }
}
