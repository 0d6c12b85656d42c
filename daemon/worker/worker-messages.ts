/*
 * What the main thread and its workers say to each other. Everything is structured-cloned: bytes arrive as Uint8Array.
 *
 * A socket travels as the number of a duplicated descriptor (threads share the table). Whose it is, is told by `adopted`,
 * memory that both threads share: set by the worker before it makes its net.Socket, which is closed even when the thread
 * is ended. A message would not do: one that is on its way when the thread dies may be lost, the main thread would close
 * the descriptor once more, and by then the number may be another connection's.
 *
 * What opens a home carries `use`, a number that only grows; `homeClosed` says the last one that the worker has seen, so
 * that the main thread knows whether another one is still on its way.
 */
import type { SuiteName } from '../../protocol/transport/aead.js';
import type { FailureKind } from '../../protocol/failure.js';
import type { HomeName, UserName } from '../../protocol/ids.js';
import type { LeaseMode } from '../../protocol/methods.js';
import type { Share } from '../../protocol/shares.js';
import type { SessionActivity } from '../../state/control.js';
import type { HomeRecord } from '../../state/home-record.js';
import type { QuotaReport, Use } from '../../state/ledger.js';
import type { TrashAct, TrashAnswer } from '../../state/trash-requests.js';
import type { LogLevel } from '../log.js';
import type { Cells } from '../measures.js';
import type { LineCells } from './pace.js';

/** What every worker is started with. */
export interface WorkerData {
  /** See PROGRAM_FILES: those of the main thread. */
  readonly programFiles: string;
  readonly stateDirectory: string;
  /** Absolute: the directory of the homes. */
  readonly homes: string;
  readonly serverVersion: string;
  /** 8 bytes, the same in all workers of one run of the daemon. */
  readonly bootVerifier: Uint8Array;
  /** For how long leases are good without a word (milliseconds). */
  readonly leaseTermMs: number;
  /** Files of one home that are kept open for its clients. */
  readonly maxOpenFiles: number;
  /** For how long a partial upload is kept that nobody goes on with (milliseconds). */
  readonly uploadKeepMs: number;
  /** The number from which on a descriptor is not for what clients keep open. */
  readonly firstReserved: number;
  /** Where it counts (measures.ts). */
  readonly cells: Cells;
  /** What all users may move together, and which of the workers this one is. */
  readonly line: LineCells;
  readonly index: number;
}

/** A connection that is authenticated and admitted. */
export type AdmittedConnection = Omit<SessionHandover, 'adopted'>;

/** What its worker gets. */
export interface SessionHandover {
  readonly sessionId: number;
  readonly fd: number;
  /** One element: 0, then 1 when the worker has taken `fd`. */
  readonly adopted: Int32Array<SharedArrayBuffer>;
  readonly keys: {
    readonly suite: SuiteName;
    readonly sendKey: Uint8Array;
    readonly sendCount: number;
    readonly receiveKey: Uint8Array;
    readonly receiveCount: number;
  };
  /** Bytes that came after the last message that the main thread read. */
  readonly leftover: Uint8Array;
  readonly user: UserName;
  /** Bytes a second that come and go in all of the user's sessions; 0: no limit. */
  readonly bandwidth: number;
  readonly home: HomeRecord;
  readonly login: {
    readonly requestId: number;
    readonly clientId: Uint8Array;
    readonly leaseWanted: LeaseMode;
    readonly program: string;
  };
  /** What the answer of the login tells of shares. */
  readonly shares: readonly Share[];
  /** The user may change nothing in the home. */
  readonly isReadOnly: boolean;
  /** ADDRESS:PORT */
  readonly peer: string;
}

/** What a worker does at the moment. */
export interface WorkerReport {
  /** The use of the homes that are open. */
  readonly uses: readonly (Use & { readonly home: HomeName; readonly trashed: Use })[];
  /** Units of leases that clients hold in them. */
  readonly leases: number;
  readonly sessions: readonly (SessionActivity & { readonly sessionId: number })[];
}

/** Requests of the main thread that a worker answers. */
export interface WorkerCalls {
  /** Compares the ledger with the tree; opens the home where it is closed. */
  quotaCheck: {
    readonly params: { readonly home: HomeRecord; readonly repair: boolean; readonly use: number };
    readonly result: QuotaReport;
  };
  /** Does something with the trash of a user; opens the home where it is closed. */
  trash: {
    readonly params: {
      readonly user: UserName;
      readonly home: HomeRecord;
      readonly act: TrashAct;
      readonly use: number;
    };
    readonly result: TrashAnswer;
  };
  /** Ends the sessions of a home and closes it. */
  closeHome: { readonly params: { readonly home: HomeName; readonly reason: string }; readonly result: null };
  /** `watched`: from now on the delay of the thread is measured. */
  report: { readonly params: { readonly watched: boolean }; readonly result: WorkerReport };
  /** Ends all sessions, telling the clients, and closes all homes. */
  shutdown: { readonly params: { readonly reason: string; readonly again: boolean }; readonly result: null };
  /** Still there? */
  ping: { readonly params: null; readonly result: null };
}

export type WorkerCallName = keyof WorkerCalls;

export type ToWorker =
  | { readonly type: 'session'; readonly session: SessionHandover; readonly use: number }
  | {
      readonly type: 'endSession';
      readonly sessionId: number;
      readonly reason: string;
      readonly again: boolean;
      /** Its client does not come back. */
      readonly isOver: boolean;
    }
  /** The user's shares changed; `sessionId` is of a session of the own home. */
  | { readonly type: 'shares'; readonly sessionId: number; readonly shares: readonly Share[] }
  /**
   * Limits changed; nothing happens where the home is closed. `reopens`: its sessions have been told to end, as files have owners
   * from now on, or none.
   */
  | { readonly type: 'homeChanged'; readonly home: HomeRecord; readonly reopens: boolean }
  /** Nothing happens where the user has no session. */
  | { readonly type: 'bandwidth'; readonly user: UserName; readonly bandwidth: number }
  /** Open the home, so that it is counted before somebody logs in. */
  | { readonly type: 'openHome'; readonly home: HomeRecord; readonly use: number }
  | {
      [N in WorkerCallName]: {
        readonly type: 'call';
        readonly callId: number;
        readonly name: N;
        readonly params: WorkerCalls[N]['params'];
      };
    }[WorkerCallName];

export type FromWorker =
  | { readonly type: 'sessionClosed'; readonly sessionId: number }
  /** Nothing of the home is left here. */
  | { readonly type: 'homeClosed'; readonly home: HomeName; readonly lastUse: number }
  | { readonly type: 'answer'; readonly callId: number; readonly result: unknown }
  | {
      readonly type: 'failure';
      readonly callId: number;
      readonly kind: FailureKind;
      readonly message: string;
    }
  /** It cannot start threads any more (program-files.ts). */
  | { readonly type: 'replaced' }
  | {
      readonly type: 'log';
      /** The daemon's log, or user.log. */
      readonly log: 'daemon' | 'user';
      readonly level: LogLevel;
      readonly fields: Readonly<Record<string, unknown>>;
      readonly message: string;
    };
