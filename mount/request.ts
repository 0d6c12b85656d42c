/* What to mount where: the command line, read. Apart from serve.ts, which the process that read it does not load. */
import type { Target } from '../client/target.js';
import type { MountOptions } from './options.js';

/** Ways to talk to the kernel. */
export const DRIVERS = ['kernel', 'fuse-native'] as const;

/** Plain data, so that it can be handed to another process. */
export interface MountRequest {
  readonly target: Target;
  /** What is mounted, as it was typed: mount(8) finds an entry of fstab among what is mounted by it. */
  readonly source: string;
  readonly mountpoint: string;
  readonly port?: number;
  readonly passwordFile?: string;
  readonly driver: (typeof DRIVERS)[number];
  /** Where the log goes; standard error if absent. */
  readonly logFile?: string;
  readonly options: MountOptions;
}
