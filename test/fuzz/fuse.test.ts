/*
 * Messages of the kernel that are nearly right: each is answered once at most, by an errno where it is not right, and nothing is
 * ever thrown at who reads the device.
 */
import { Dispatcher } from '../../mount/fuse/dispatch.js';
import { NAME_CASES } from '../mount/fuse/opcode-cases-names.js';
import { OPEN_CASES } from '../mount/fuse/opcode-cases-open.js';
import { request, u32, zeros } from '../mount/fuse/messages.js';
import { recordingFilesystem, recordingLog, recordingSink } from '../mount/fuse/recording-filesystem.js';
import { fuzz } from './cases.js';
import { mutateBytes, oneOf } from './mutation.js';

const CASES = [...NAME_CASES, ...OPEN_CASES];
const INIT = request(26, u32(7), u32(45), u32(131_072), u32(0xffff_ffff), u32(0xffff_ffff), zeros(44));
const HEADER_BYTES = 16;

await fuzz('requests and their headers', (random) => {
  const { opcode, body } = oneOf(random, CASES);
  const { filesystem } = recordingFilesystem({});
  const sink = recordingSink();
  const dispatcher = new Dispatcher({ filesystem, sink, log: recordingLog(), onInit() {} });
  if (random(8) > 0) dispatcher.handle(INIT, INIT.length);
  sink.sent.length = 0;
  const message = mutateBytes(random, request(random(4) === 0 ? random(60) : opcode, ...body));
  // So that more than the length is looked at.
  if (random(4) > 0 && message.length >= 4) message.writeUInt32LE(message.length, 0);
  const buffer = Buffer.concat([message, Buffer.alloc(64, 0xee)]);
  dispatcher.handle(buffer, message.length);
  if (sink.sent.length > 1) throw new Error('it was answered twice');
  const [answer] = sink.sent;
  if (answer !== undefined && answer.length < HEADER_BYTES) throw new Error('an answer without a header');
});
