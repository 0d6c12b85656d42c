import t from 'tap';
import { dataLength, encodeRequest } from '../../../protocol/codec.js';
import { MAX_DATA, MAX_NAME, MAX_OPERATIONS, MAX_RECORD, MAX_TARGET } from '../../../protocol/limits.js';
import { packOperation, SYMLINK, WRITE, type LogOperation } from '../../../protocol/operations.js';
import { Message, MESSAGE_BYTES } from '../../../mount/log/message.js';
import { mkdir, TIME } from './operations.js';

const DIRECTORY = { ino: 2n ** 63n, birth: 2n ** 63n, path: null };

function write(bytes: number): LogOperation {
  return { kind: WRITE, file: DIRECTORY, offset: 2 ** 50, data: Buffer.alloc(bytes), time: TIME };
}

function symlink(): LogOperation {
  const name = Buffer.alloc(MAX_NAME, 'n');
  const target = Buffer.alloc(MAX_TARGET, 't');
  return { kind: SYMLINK, directory: DIRECTORY, name, target, time: TIME, id: DIRECTORY };
}

/** Adds operations as long as it takes them. */
function fill(make: (index: number) => LogOperation): Message {
  const message = new Message(MAX_OPERATIONS, MESSAGE_BYTES);
  for (let index = 0; message.add(make(index)); index++);
  return message;
}

/** The length of the record that a message becomes. */
function recordBytes({ operations, data }: Message): number {
  return dataLength(encodeRequest(1, 'apply', [1, operations.map(packOperation)], data));
}

t.test('a message fits into a record, whatever it is made of', async (t) => {
  const kinds: Record<string, (index: number) => LogOperation> = {
    'small operations': mkdir,
    'long names and targets': symlink,
    'small writes': () => write(1_000),
    'large writes': () => write(MAX_DATA),
    both: (index) => (index < 100 ? write(9_000) : write(MAX_DATA)),
    'a largest write behind others': (index) => (index < 10 ? mkdir(index) : write(MAX_DATA - 1_000)),
  };
  for (const [name, make] of Object.entries(kinds)) {
    const message = fill(make);
    t.ok(message.operations.length > 0, name);
    t.ok(recordBytes(message) <= MAX_RECORD, name);
    t.ok(recordBytes(message) <= message.bytes + 100, `${name}: no longer than it says`);
  }
});

t.test('small operations travel together, up to the limit', async (t) => {
  t.equal(fill(mkdir).operations.length, MAX_OPERATIONS);
  t.equal(new Message(3, MESSAGE_BYTES).add(mkdir(1)), true);
  const three = new Message(3, MESSAGE_BYTES);
  for (const serial of [1, 2, 3]) t.equal(three.add(mkdir(serial)), true);
  t.equal(three.add(mkdir(4)), false);
});

t.test('the data of a large write travel apart, where they are, and end the message', async (t) => {
  const message = new Message(MAX_OPERATIONS, MESSAGE_BYTES);
  const large = write(100_000);
  message.add(mkdir(1));
  message.add(write(100));
  t.equal(message.add(large), true);
  t.equal(message.data, large.kind === WRITE && large.data);
  t.match(message.operations.at(-1), { kind: WRITE, data: null });
  t.equal(message.add(mkdir(2)), false);
});

t.test('one operation is always taken', async (t) => {
  const message = new Message(1, 1);
  t.equal(message.add(symlink()), true);
});
