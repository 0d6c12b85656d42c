/*
 * Messages that are nearly right: what is no message is refused as a fault of the protocol, and what is one has parameters or
 * a result that are right or refused; nothing else is ever thrown.
 */
import { Packr } from 'msgpackr';
import t from 'tap';
import { decodeMessage, encodeNotification, encodeRequest, encodeResponse } from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import { isMethodName, isNotificationName, METHODS, NOTIFICATIONS } from '../../protocol/methods.js';
import type { Random } from '../lib/random.js';
import { fuzz } from './cases.js';
import { mutateBytes, mutateValue, oneOf } from './mutation.js';
import { METHOD_NAMES, METHOD_SAMPLES, NOTIFICATION_SAMPLES } from './samples.js';

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });
const NOTIFICATION_NAMES = Object.keys(NOTIFICATIONS).filter(isNotificationName);

/** Whether it is refused as it should be: throws what is not. */
function isRefused(check: () => unknown, kind?: string): boolean {
  try {
    check();
    return false;
  } catch (error) {
    if (!(error instanceof Failure) || (kind !== undefined && error.kind !== kind)) throw error;
    if (error.kind === 'EIO') throw error;
    return true;
  }
}

function sample(random: Random): unknown[] {
  const method = oneOf(random, METHOD_NAMES);
  switch (random(3)) {
    case 0:
      return [0, random(2 ** 32), method, METHOD_SAMPLES[method].params];
    case 1:
      return [1, random(2 ** 32), random(4) === 0 ? ['EIO', 'broken'] : null, METHOD_SAMPLES[method].result];
    default: {
      const name = oneOf(random, NOTIFICATION_NAMES);
      return [2, name, NOTIFICATION_SAMPLES[name]];
    }
  }
}

/** Every value that a peer may look at, against all shapes that it may be taken for. */
function take(record: Buffer, random: Random): void {
  let message: ReturnType<typeof decodeMessage> | undefined;
  if (isRefused(() => (message = decodeMessage(record)), 'PROTOCOL') || message === undefined) return;
  const { kind } = message;
  if (kind === 'response') {
    const { result } = message;
    const { result: shape } = METHODS[oneOf(random, METHOD_NAMES)];
    isRefused(() => shape(result));
    return;
  }
  const { method, params } = message;
  if (kind === 'request' && isMethodName(method)) isRefused(() => METHODS[method].params(params));
  else if (isNotificationName(method)) isRefused(() => NOTIFICATIONS[method].params(params));
}

t.test('the samples are right', async (t) => {
  for (const method of METHOD_NAMES) {
    const { params, result } = METHOD_SAMPLES[method];
    for (const message of [encodeRequest(1, method, params), encodeResponse(1, undefined, result)]) {
      const decoded = decodeMessage(Buffer.concat(message));
      if (decoded.kind === 'request') t.doesNotThrow(() => METHODS[method].params(decoded.params), method);
      if (decoded.kind === 'response') t.doesNotThrow(() => METHODS[method].result(decoded.result), method);
    }
  }
  for (const name of NOTIFICATION_NAMES) {
    const decoded = decodeMessage(Buffer.concat(encodeNotification(name, NOTIFICATION_SAMPLES[name])));
    if (decoded.kind === 'notification')
      t.doesNotThrow(() => NOTIFICATIONS[name].params(decoded.params), name);
  }
});

await fuzz('messages of values that are nearly right', (random) => {
  take(packr.pack(mutateValue(random, sample(random))), random);
});

await fuzz('messages of bytes that are nearly right', (random) => {
  take(mutateBytes(random, packr.pack(sample(random))), random);
});
