/*
 * protocol.md against the code: its examples byte by byte, and that nothing of the tables is missing.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { nodeAead } from '../../protocol/transport/aead.js';
import { attributes, packAttributes } from '../../protocol/attributes.js';
import {
  decodeMessage,
  decodeServerVersion,
  encodeNotification,
  encodeRequest,
  encodeResponse,
  encodeServerVersion,
  type OutgoingMessage,
} from '../../protocol/codec.js';
import { ERRNO } from '../../protocol/errno.js';
import { Failure } from '../../protocol/failure.js';
import { F_WRLCK, LOCK_POSIX, packLock } from '../../protocol/file-locks.js';
import * as limits from '../../protocol/limits.js';
import { remotePath } from '../../protocol/ids.js';
import {
  isMethodName,
  LEASE_NONE,
  LEASE_READ,
  LEASE_WRITE,
  METHODS,
  NOTIFICATIONS,
  WHOLE_HOME,
} from '../../protocol/methods.js';
import { HandshakeState } from '../../protocol/transport/noise.js';
import { importPrivateKey, type KeyPair } from '../../protocol/transport/x25519.js';
import * as operations from '../../protocol/operations.js';
import { packOperation, type Operation } from '../../protocol/operations.js';
import {
  decodePreamble,
  encodePreamble,
  encodeRefusal,
  explainRefusal,
  PROTOCOL_VERSION,
} from '../../protocol/transport/preamble.js';
import { RecordOpener, RecordSealer } from '../../protocol/transport/records.js';
import { packId } from '../../protocol/references.js';
import { rekey } from '../../protocol/transport/rekey.js';

/** The document is in the root of the package, this file somewhere below it. */
function readDocument(): string {
  for (let url = new URL('.', import.meta.url); url.pathname !== '/'; url = new URL('..', url)) {
    try {
      return readFileSync(new URL('protocol.md', url), 'utf8');
    } catch {
      continue;
    }
  }
  throw new Error('protocol.md is missing');
}

const DOCUMENT = readDocument();

/** Each ```example NAME``` block: hexadecimal bytes, and comments from # to the end of the line. */
function parseExamples(): Map<string, Buffer> {
  const examples = new Map<string, Buffer>();
  for (const [, name = '', body = ''] of DOCUMENT.matchAll(/^```example (\S+)\n(.*?)^```$/gms)) {
    const hex = body.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, '');
    if (!/^([0-9a-f]{2})+$/.test(hex) || examples.has(name)) throw new Error(`example ${name} is malformed`);
    examples.set(name, Buffer.from(hex, 'hex'));
  }
  return examples;
}

const examples = parseExamples();
const checked = new Set<string>();

function example(name: string): Buffer {
  checked.add(name);
  const bytes = examples.get(name);
  if (bytes === undefined) throw new Error(`protocol.md has no example ${name}`);
  return Buffer.from(bytes);
}

function keyPairOf(byte: number): KeyPair {
  return importPrivateKey(Buffer.alloc(32, byte));
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

t.test('the handshake and the first record', async (t) => {
  const preamble = encodePreamble('AESGCM');
  t.same(example('preamble'), preamble);
  t.same(decodePreamble(example('preamble')), { version: PROTOCOL_VERSION, suite: 'AESGCM' });
  t.same(example('refusal'), encodeRefusal());
  t.doesNotThrow(() => explainRefusal(example('refusal')));
  t.match(DOCUMENT, new RegExp(`^# The ftpmount protocol, version ${PROTOCOL_VERSION}$`, 'm'));

  const suite = 'AESGCM';
  const client = new HandshakeState({
    suite,
    initiator: true,
    prologue: preamble,
    staticKeyPair: keyPairOf(0x11),
    ephemeral: keyPairOf(0x22),
  });
  const server = new HandshakeState({
    suite,
    initiator: false,
    prologue: preamble,
    staticKeyPair: keyPairOf(0x33),
    ephemeral: keyPairOf(0x44),
  });
  const first = client.writeMessage(Buffer.alloc(0));
  t.same(example('message-1'), framed(first));
  server.readMessage(first);

  t.same(example('payload-2'), encodeServerVersion('ftpmountd/2.0.0'));
  const second = server.writeMessage(example('payload-2'));
  t.same(example('message-2'), framed(second));
  t.equal(decodeServerVersion(client.readMessage(second)), 'ftpmountd/2.0.0');

  const params = ['alice', 'secret', Buffer.alloc(16, 0x77), LEASE_WRITE, 'ftpmount/2.0.0', null];
  t.same(example('payload-3'), Buffer.concat(encodeRequest(1, 'login', params)));
  const third = client.writeMessage(example('payload-3'));
  t.same(example('message-3'), framed(third));
  const login = decodeMessage(server.readMessage(third));
  t.match(login, { kind: 'request', id: 1, method: 'login' });
  t.same(METHODS.login.params(login.kind === 'request' ? login.params : undefined), params);

  const { sendKey, receiveKey } = client.finish();
  t.same(example('client-key'), sendKey);
  t.same(example('server-key'), receiveKey);

  const ping = Buffer.concat(encodeRequest(2, 'ping', []));
  t.match(
    DOCUMENT,
    ping.toString('hex').replaceAll(/..(?!$)/g, '$& '),
    'the plaintext is named in the comment',
  );
  const sealed = Buffer.alloc(ping.length + 20);
  new RecordSealer(nodeAead, { suite, key: sendKey, count: 0 }).seal([ping], ping.length, sealed, 0);
  t.same(example('record'), sealed);
  const opener = new RecordOpener(
    nodeAead,
    { suite, key: sendKey, count: 0 },
    limits.MAX_RECORD_BEFORE_LOGIN,
  );
  opener.feed(sealed);
  t.match(decodeMessage(opener.next() ?? Buffer.alloc(0)), { method: 'ping', id: 2 });
  t.same(example('next-client-key'), rekey(suite, sendKey));
});

t.test('messages', async (t) => {
  const file = {
    ino: 4660n,
    birth: 1_700_000_000_123_456_789n,
    mode: 0o100644,
    nlink: 1,
    size: 5_000_000_000,
    blocks: 9_765_632,
    rdev: 0,
    atime: { sec: 1_700_000_000, nsec: 1 },
    mtime: { sec: 1_700_000_001, nsec: 2 },
    ctime: { sec: 1_700_000_002, nsec: 3 },
    owner: null,
  };
  const todo = remotePath(Buffer.from('todo'));
  const id = { ino: 4660n, birth: 8n };
  const directory = { ino: 2n, birth: 7n, path: null };
  const log: Operation[] = [
    {
      ...{ kind: operations.CREATE, directory, name: todo, time: { sec: 1_700_000_000, nsec: 5 } },
      ...{ mode: 0o100644, id, owner: null, rdev: 0 },
    },
    {
      ...{ kind: operations.WRITE, file: { ...id, path: null }, time: { sec: 1_700_000_000, nsec: 6 } },
      ...{ offset: 0, data: null },
    },
  ];
  const setattr: Operation = {
    ...{ kind: operations.SETATTR, file: { path: todo, ino: null }, time: null, mode: 0o600, size: null },
    ...{ atime: { sec: 1_700_000_000, nsec: 0 }, mtime: 'now', uid: null, gid: null },
  };
  const data = Buffer.from('hello');
  const hinted = packId(file, remotePath(Buffer.from('notes/todo')));
  const failure = new Failure('ENOENT', 'no such file or directory');
  const full = [2, ['ENOSPC', 'no room'], []];
  const wanted = { type: F_WRLCK, start: 0x4000_0000n, end: 0x4000_01ffn, pid: 4711 } as const;
  const encoded: Record<string, OutgoingMessage> = {
    request: encodeRequest(3, 'getattr', [hinted]),
    response: encodeResponse(3, undefined, packAttributes(file)),
    error: encodeResponse(3, failure, null),
    apply: encodeRequest(4, 'apply', [1, log.map(packOperation)], data),
    'apply-answer': encodeResponse(4, undefined, [2, 0, 1_048_576, 999, [full]]),
    change: encodeRequest(5, 'change', [1, packOperation(setattr)]),
    lease: encodeNotification('lease', [
      [
        [0, LEASE_WRITE],
        [4660, LEASE_READ],
      ],
    ]),
    recall: encodeNotification('recall', [[[4660, LEASE_NONE]]]),
    returned: encodeRequest(6, 'returned', [[[4660, LEASE_NONE]]]),
    lock: encodeRequest(7, 'lock', [[4660, 8], 9, LOCK_POSIX, packLock(wanted), true]),
    cancel: encodeNotification('cancel', [4]),
  };
  for (const [name, message] of Object.entries(encoded)) t.same(example(name), Buffer.concat(message), name);

  const { birth, ino } = file;
  t.same(paramsOf('request'), [{ ino, birth, path: Buffer.from('notes/todo') }]);
  const response = decodeMessage(example('response'));
  t.same(response.kind === 'response' ? attributes(response.result) : undefined, file);
  t.match(decodeMessage(example('error')), { error: { kind: failure.kind, message: failure.message } });
  t.same(paramsOf('apply'), [1, log, data]);
  const answer = decodeMessage(example('apply-answer'));
  t.same(METHODS.apply.result(answer.kind === 'response' ? answer.result : undefined), [
    2,
    0,
    1_048_576,
    999,
    [full],
  ]);
  t.same(paramsOf('change'), [1, setattr, null]);
  t.same(paramsOf('returned'), [[[4660n, LEASE_NONE]]]);
  t.same(paramsOf('lock'), [{ ino, birth: 8n, path: null }, 9n, LOCK_POSIX, wanted, true]);
  const lease = decodeMessage(example('lease'));
  t.same(NOTIFICATIONS.lease.params(lease.kind === 'notification' ? lease.params : undefined), [
    [
      [WHOLE_HOME, LEASE_WRITE],
      [4660n, LEASE_READ],
    ],
  ]);
});

/** The parameters of an example that is a request, as its method reads them. */
function paramsOf(name: string): unknown {
  const message = decodeMessage(example(name));
  if (message.kind !== 'request' || !isMethodName(message.method)) throw new Error(`${name} is no request`);
  return METHODS[message.method].params(message.params);
}

t.test('every example is checked', async (t) => {
  t.same([...examples.keys()].toSorted(), [...checked].toSorted());
});

/** What is under a heading, to the next one of the same level. */
function section(heading: string, level = '##'): string {
  const start = DOCUMENT.indexOf(`\n${level} ${heading}\n`);
  if (start < 0) throw new Error(`protocol.md has no section ${heading}`);
  const text = DOCUMENT.slice(start + 1);
  const end = text.search(new RegExp(`\n#{2,${level.length}} `));
  return end < 0 ? text : text.slice(0, end);
}

/** The names in the headings of the sections within one. */
function headings(heading: string): string[] {
  return [...section(heading).matchAll(/^### `([^`]+)`$/gm)].map(([, name = '']) => name);
}

/** First cells of the rows of all tables of a section that are names. */
function firstCells(heading: string): string[] {
  return [...section(heading).matchAll(/^\| `([^`]+)` \|/gm)].map(([, cell = '']) => cell);
}

t.test('every method has a section that says all of it, and nothing else has one', async (t) => {
  t.same(headings('Methods').toSorted(), Object.keys(METHODS).toSorted());
  for (const method of Object.keys(METHODS)) {
    const text = section(`\`${method}\``, '###');
    t.match(text, /^`\[.*\]` -> /m, `${method}: parameters and result`);
    for (const label of ['Errors', 'Causes', 'Order', 'Cancel']) {
      t.match(text, new RegExp(`^- ${label}: .`, 'm'), `${method}: ${label}`);
    }
  }
});

t.test('every operation has a section that says all of it, and nothing else has one', async (t) => {
  const kinds = Object.entries(operations).filter(
    ([name, value]) => typeof value === 'number' && !/^(RENAME|ALLOCATE)_/.test(name),
  );
  const names = kinds.map(([name]) => name).toSorted();
  t.same(headings('Operations').toSorted(), names);
  t.same(firstCells('Operations').toSorted(), names);
  for (const [name, kind] of kinds) {
    t.match(DOCUMENT, `| \`${name}\` | ${String(kind)} | \`[${String(kind)}, `, `the kind of ${name}`);
    const text = section(`\`${name}\``, '###');
    for (const label of ['Errors', 'Replay', 'Units', 'Charge', 'Left']) {
      t.match(text, new RegExp(`^- ${label}: .`, 'm'), `${name}: ${label}`);
    }
  }
  for (const [flag, name] of [
    [operations.RENAME_NOREPLACE, 'NOREPLACE'],
    [operations.RENAME_EXCHANGE, 'EXCHANGE'],
    [operations.RENAME_WHITEOUT, 'WHITEOUT'],
  ] as const) {
    t.match(section('`RENAME`', '###'), `${flag} ${name}`);
  }
  for (const mode of operations.ALLOCATE_MODES) {
    t.match(section('`ALLOCATE`', '###'), `| ${mode} |`);
  }
});

t.test('every notification, error name and limit is there, and nothing else', async (t) => {
  t.same(headings('Notifications').toSorted(), Object.keys(NOTIFICATIONS).toSorted());
  t.same(firstCells('Limits').toSorted(), Object.keys(limits).toSorted());
  for (const [name, value] of Object.entries(limits)) {
    t.match(DOCUMENT, `| \`${name}\` | ${value} |`, `the value of ${name}`);
  }
  const named = DOCUMENT.match(/\bE[A-Z0-9]{2,}\b/g) ?? [];
  t.same([...new Set(named)].filter((name) => name !== 'EXCHANGE').toSorted(), Object.keys(ERRNO).toSorted());
});

t.test('links lead to sections', async (t) => {
  const anchors = new Set(
    [...DOCUMENT.matchAll(/^#{2,} (.+)$/gm)].map(([, text = '']) =>
      text
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
  for (const [, anchor = ''] of DOCUMENT.matchAll(/\]\(#([^)]+)\)/g)) t.ok(anchors.has(anchor), anchor);
});
