/*
 * A worker for the test of the pool: speaks its messages, and misbehaves on demand, by what the program of a
 * session says.
 */
import { parentPort } from 'node:worker_threads';
import { fd as brand } from '../../posix/fd.js';
import { close } from '../../posix/files.js';
import type { FromWorker, ToWorker } from '../../daemon/worker/worker-messages.js';

if (parentPort === null) throw new Error('this is a worker');
const port = parentPort;
const post = (message: FromWorker): void => port.postMessage(message);
const tell = (fields: Record<string, unknown>, message: string): void =>
  post({ type: 'log', log: 'user', level: 'warn', fields, message });
const uses = new Map<string, number>();

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'session': {
      const { fd, adopted, home, login } = message.session;
      uses.set(home.name, message.use);
      if (login.program === 'throw before adopting') throw new Error('on demand');
      Atomics.store(adopted, 0, 1);
      close(brand(fd));
      if (login.program === 'throw') throw new Error('on demand');
      if (login.program === 'exit') process.exit(7);
      if (login.program === 'hang') for (;;);
      if (login.program === 'tell') tell({ ...home }, 'opened');
      return;
    }
    case 'endSession': {
      post({ type: 'sessionClosed', sessionId: message.sessionId });
      for (const [home, lastUse] of uses) post({ type: 'homeClosed', home: home as never, lastUse });
      return;
    }
    case 'openHome':
      uses.set(message.home.name, message.use);
      return;
    case 'call':
      if (message.name === 'quotaCheck') {
        post({ type: 'failure', callId: message.callId, kind: 'EIO', message: 'on demand' });
      } else {
        post({
          type: 'answer',
          callId: message.callId,
          result: message.name === 'report' ? [...uses.keys()] : null,
        });
      }
      return;
    case 'homeChanged':
      tell({ home: message.home.name }, 'seen');
  }
});
