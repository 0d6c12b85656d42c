/* A thread of password-threads.ts: each message is a password, and is answered by its hash. */
import { parentPort } from 'node:worker_threads';
import { hashPassword } from './password.js';

parentPort?.on('message', (password: string) => {
  void hashPassword(password).then((hash) => parentPort?.postMessage(hash));
});
