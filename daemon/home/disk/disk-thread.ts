/*
 * A thread that waits for disks: carries out one call after the other, as disk-threads.ts sends them, and answers with the errno.
 */
import { parentPort } from 'node:worker_threads';
import { carryOut, type DiskRequest } from './disk-calls.js';

parentPort?.on('message', (request: DiskRequest) => parentPort?.postMessage(carryOut(request)));
