/**
 * What a command at the prompt is, and what it is given.
 */
import type { RemotePath } from '../../protocol/ids.js';
import type { OwnSession } from '../remote/session.js';
import type { Flag, Operands } from './flags.js';

/** What an operand names, for its completion. */
export type Names =
  'remote' | 'remote directory' | 'remote trash' | 'local' | 'local directory' | 'command' | 'nothing';

export interface ShellCommand {
  /** The first is the one that help shows. */
  readonly names: readonly [string, ...string[]];
  /** Its operands: `SRC... [DST]` */
  readonly usage: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** What its first operand may be besides. */
  readonly verbs?: readonly string[];
  readonly least: number;
  readonly most: number;
  /** Whether it can do without the server. */
  readonly isLocal?: boolean;
  /** Whether it only asks, so that it is run again where the connection breaks. */
  readonly asks?: boolean;
  /** What its operand number `index` names, of these as far as they are typed. */
  operand(index: number, operands: readonly string[]): Names;
  /** Returns the exit code; throws what concerns all of it. */
  run(context: Context, operands: Operands): Promise<number>;
}

/** The prompt, as a command sees it. */
export interface Context {
  readonly session: OwnSession;
  /** Where relative remote paths begin. */
  readonly directory: RemotePath;
  /** Where that was before; undefined: nowhere else. */
  readonly former: RemotePath | undefined;
  readonly commands: readonly ShellCommand[];
  /** Seconds for which a server that is away is waited for. */
  readonly retry: number;
  /** Whether standard input is the person's, so that a program that is run may read it. */
  readonly isInteractive: boolean;
  changeDirectory(directory: RemotePath): void;
  /** No further command is read. */
  end(): void;
}
