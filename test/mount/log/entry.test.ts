import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { Entry } from '../../../mount/log/entry.js';
import { mkdir, NOTHING } from './operations.js';

t.test('a stage is reached once the entry is there, beyond, or out of the log', async (t) => {
  const entry = new Entry(mkdir(1), NOTHING, 0);
  t.equal(entry.has('sent'), false);
  entry.become('sent');
  t.equal(entry.when('sent'), undefined);
  const durable = entry.when('durable');
  entry.become('unsent');
  t.equal(entry.has('sent'), false, 'it was taken back');
  entry.become('failed');
  await durable;
  t.equal(entry.when('durable'), undefined);
});

t.test('who waits is told the failure where nobody carries it on', async (t) => {
  const entry = new Entry(mkdir(1), NOTHING, 0);
  const sent = entry.when('sent');
  entry.abandon(new Failure('EACCES'));
  await t.rejects(sent ?? Promise.resolve(), new Failure('EACCES'));
});
