/*
 * Valid messages of every kind, as they travel: what fuzzing starts from. A new method has no test until it has a sample.
 */
import { isMethodName, LEASE_WRITE, type MethodName, type NotificationName } from '../../protocol/methods.js';
import * as operations from '../../protocol/operations.js';

const NAME = Buffer.from('name');
const PATH = Buffer.from('d/name');
const XATTR = Buffer.from('user.a');
const ID = [4711, 1_700_000_000_000_000_000n];
const HINTED = [...ID, PATH];
const TIME = [1_700_000_000, 5];
const ATTRIBUTES = [...ID, 0o100644, 1, 5, 8, 0, ...TIME, ...TIME, ...TIME, null, null];
const MD5 = Buffer.alloc(16, 0x6d);
const LOCK = [1, 0, 2n ** 63n - 1n, 4711];
const ENTRY = [NAME, ATTRIBUTES, Buffer.from('target')];

/** Operations in their wire form. */
export const OPERATIONS: readonly (readonly unknown[])[] = [
  [operations.CREATE, PATH, NAME, TIME, 0o100644, null, null, null, null],
  [operations.MKDIR, ID, NAME, TIME, 0o755, ID, 1000, 1000],
  [operations.SYMLINK, HINTED, NAME, null, Buffer.from('target'), null, null, null],
  [operations.LINK, PATH, NAME, null, HINTED],
  [operations.UNLINK, PATH, NAME, TIME, ID, true],
  [operations.RMDIR, PATH, NAME, TIME, null],
  [operations.RENAME, PATH, NAME, TIME, null, PATH, Buffer.from('other'), null, 0, false],
  [operations.SETATTR, PATH, TIME, 0o644, 10, [], TIME, null, null],
  [operations.WRITE, PATH, TIME, 0, Buffer.from('data')],
  [operations.RELEASE, ID],
  [operations.SETXATTR, PATH, TIME, XATTR, Buffer.from('value'), 0],
  [operations.REMOVEXATTR, PATH, TIME, XATTR],
  [operations.ALLOCATE, PATH, TIME, 0, 0, 4096],
  [operations.COPY, PATH, TIME, 0, HINTED, 0, 4096],
  [operations.TMPFILE, PATH, TIME, 0o600, null, null],
];

interface Sample {
  readonly params: readonly unknown[];
  readonly result: unknown;
}

export const METHOD_SAMPLES: Readonly<Record<MethodName, Sample>> = {
  login: {
    params: ['alice', 'secret', Buffer.alloc(16, 7), LEASE_WRITE, 'ftpmount/0.1.0', 'team'],
    result: [
      'ftpmountd/0.1.0',
      Buffer.alloc(8),
      true,
      ATTRIBUTES,
      5,
      true,
      true,
      30_000,
      [-(2 ** 31), 2 ** 33, 1, 2 ** 44],
      100,
      [['team', true]],
    ],
  },
  ping: { params: [], result: null },
  logout: { params: [], result: null },
  lookup: { params: [PATH, NAME], result: [ATTRIBUTES, null] },
  getattr: { params: [HINTED], result: ATTRIBUTES },
  readlink: { params: [PATH], result: Buffer.from('target') },
  list: { params: [PATH, 10], result: [[ATTRIBUTES, [ENTRY, ENTRY], 3]] },
  listNext: { params: [3, 5n], result: [[ENTRY], 3, Buffer.alloc(8)] },
  read: { params: [PATH, 0, 4096], result: Buffer.from('data') },
  seek: { params: [PATH, 0, true], result: 5 },
  fetch: { params: [[PATH, ID, HINTED], 65_536], result: [[ATTRIBUTES, Buffer.from('data')], null] },
  xattrs: {
    params: [[PATH, ID], 4096],
    result: [
      [
        [XATTR, Buffer.from('v')],
        [XATTR, null],
      ],
      null,
    ],
  },
  xattr: { params: [PATH, XATTR], result: Buffer.from('v') },
  hold: { params: [PATH], result: ATTRIBUTES },
  statfs: { params: [], result: [4096, 0, 1, 2, 0, 1, 2, 3, null, 4, 5] },
  apply: { params: [1, OPERATIONS.slice(0, 12), null], result: [3, 2, 0, 0, [[2, ['ENOENT', 'none'], []]]] },
  change: { params: [1, OPERATIONS[0], null], result: [ATTRIBUTES, ATTRIBUTES] },
  sync: { params: [5], result: 5 },
  grant: { params: [65_536, 10, 5, 5, null, 1, 3], result: [65_536, 10, [ID], [ID]] },
  returned: { params: [[[4711, 0]]], result: null },
  lock: { params: [PATH, 7n, 0, LOCK, false], result: null },
  getLock: { params: [PATH, 7n, LOCK], result: LOCK },
  relock: { params: [PATH, 7n, 0, [LOCK]], result: null },
  close: { params: [3], result: null },
  uploadBegin: { params: [PATH, 100, 0o644, ...TIME, Buffer.alloc(32, 9)], result: [3, 0, false] },
  uploadWrite: { params: [3, 0, Buffer.from('data')], result: null },
  uploadHole: { params: [3, 4, 4096], result: null },
  uploadFinish: { params: [3, MD5, [[XATTR, Buffer.from('value')]]], result: ATTRIBUTES },
  uploadFiles: {
    params: [[[PATH, 4, 0o644, ...TIME, MD5, [[XATTR, Buffer.from('value')]]]], Buffer.from('data')],
    result: [null, ['EIO', 'broken']],
  },
  uploadAbort: { params: [3], result: null },
  uploads: { params: [NAME], result: [[NAME, PATH, 100, 4, 60, 86_400, false]] },
  uploadRemove: { params: [NAME], result: null },
  trash: { params: [NAME], result: [[[NAME, PATH, 0o100644, 100, 1_700_000_000, 5]], NAME] },
  trashRestore: { params: [NAME, PATH], result: ATTRIBUTES },
  trashRemove: { params: [NAME], result: null },
  trashEmpty: { params: [], result: null },
  download: { params: [PATH], result: [3, ATTRIBUTES] },
  downloadRead: { params: [3, 0, 4096], result: Buffer.from('data') },
  downloadRuns: { params: [3, 0], result: [8192, [4096, 8192]] },
  digest: { params: [3], result: MD5 },
};

export const METHOD_NAMES = Object.keys(METHOD_SAMPLES).filter(isMethodName);

export const NOTIFICATION_SAMPLES: Readonly<Record<NotificationName, readonly unknown[]>> = {
  cancel: [5],
  queued: [1],
  lease: [[[4711, 2]]],
  recall: [[[4711, 0]]],
  durable: [5],
  ungrant: [],
  softLimit: [7, 5, 3600],
  shares: [[['team', false]]],
  busy: [],
  shutdown: ['restart', true],
};
