/*
 * protocol.md against the code: its examples byte by byte, and that nothing of the tables is missing.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { nodeAead } from '../../protocol/aead.js';
import { attributes, changes, packAttributes, packChanges } from '../../protocol/attributes.js';
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
import * as limits from '../../protocol/limits.js';
import { METHODS, NOTIFICATIONS } from '../../protocol/methods.js';
import { HandshakeState, noiseReady, publicKeyOf, type KeyPair } from '../../protocol/noise.js';
import { rekey } from '../../protocol/rekey.js';
import { decodePreamble, encodePreamble, PROTOCOL_VERSION } from '../../protocol/preamble.js';
import { RecordOpener, RecordSealer } from '../../protocol/records.js';

await noiseReady();

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
  const privateKey = Buffer.alloc(32, byte);
  return { privateKey, publicKey: publicKeyOf(privateKey) };
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

  t.same(example('payload-2'), encodeServerVersion('ftpmountd/1.0.0'));
  const second = server.writeMessage(example('payload-2'));
  t.same(example('message-2'), framed(second));
  t.equal(decodeServerVersion(client.readMessage(second)), 'ftpmountd/1.0.0');

  const params = ['alice', 'secret', Buffer.alloc(16, 0x77), true, 'ftpmount/1.0.0', 1];
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
  };
  const change = { mode: 0o600, atime: { sec: 1_700_000_000, nsec: 0 }, mtime: 'now' } as const;
  const changed = [
    [0, Buffer.from('notes'), Buffer.from('new')],
    [1, 4660, null],
  ];
  const failure = new Failure('ENOENT', 'no such file or directory');
  const encoded: Record<string, OutgoingMessage> = {
    request: encodeRequest(3, 'getattr', [Buffer.from('notes/todo')]),
    response: encodeResponse(3, undefined, packAttributes(file)),
    error: encodeResponse(3, failure, null),
    write: encodeRequest(4, 'write', [7, 4096], Buffer.from('hello')),
    setattr: encodeRequest(5, 'setattr', [Buffer.from('a'), packChanges(change)]),
    cancel: encodeNotification('cancel', [4]),
    changed: encodeNotification('changed', [changed]),
  };
  for (const [name, message] of Object.entries(encoded)) t.same(example(name), Buffer.concat(message), name);

  const response = decodeMessage(example('response'));
  t.same(response.kind === 'response' ? attributes(response.result) : undefined, file);
  t.match(decodeMessage(example('error')), { error: { kind: failure.kind, message: failure.message } });
  const request = decodeMessage(example('setattr'));
  const [, wireChanges] = request.kind === 'request' ? (request.params as unknown[]) : [];
  t.same(changes(wireChanges), change);
  const write = decodeMessage(example('write'));
  t.same(METHODS.write.params(write.kind === 'request' ? write.params : undefined), [
    7,
    4096,
    Buffer.from('hello'),
  ]);
  const notification = decodeMessage(example('changed'));
  t.doesNotThrow(() => {
    NOTIFICATIONS.changed.params(notification.kind === 'notification' ? notification.params : undefined);
  });
});

t.test('every example is checked', async (t) => {
  t.same([...examples.keys()].toSorted(), [...checked].toSorted());
});

/** First cells of the rows of all tables of a section. */
function firstCells(heading: string): string[] {
  const start = DOCUMENT.indexOf(`\n## ${heading}\n`);
  if (start < 0) throw new Error(`protocol.md has no section ${heading}`);
  const end = DOCUMENT.indexOf('\n## ', start + 1);
  const section = DOCUMENT.slice(start, end < 0 ? undefined : end);
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, cell = '']) => cell);
}

t.test('every method, notification, error name and limit is there, and nothing else', async (t) => {
  t.same(firstCells('Methods').toSorted(), Object.keys(METHODS).toSorted());
  const notifications = firstCells('Notifications').filter((cell) => !cell.startsWith('['));
  t.same(notifications.toSorted(), Object.keys(NOTIFICATIONS).toSorted());
  t.same(firstCells('Limits').toSorted(), Object.keys(limits).toSorted());
  for (const [name, value] of Object.entries(limits)) {
    t.match(DOCUMENT, `| \`${name}\` | ${value} |`, `the value of ${name}`);
  }
  const named = DOCUMENT.match(/\bE[A-Z0-9]{2,}\b/g) ?? [];
  const other = new Set(['EXCLUSIVE', 'EXCHANGE']);
  t.same([...new Set(named)].filter((name) => !other.has(name)).toSorted(), Object.keys(ERRNO).toSorted());
});
