/*
 * One phase of one workload in a process of its own: `workload-process.js NAME prepare|work DIRECTORY FIXTURES`
 * (FIXTURES as JSON). It prints the seconds the phase took, without the start of the process.
 */
import type { Fixtures } from './fixtures.js';
import { workloads } from './workloads.js';

const [name, phase, directory = '', fixtures = ''] = process.argv.slice(2);
const workload = workloads.find((each) => each.name === name);
if (!workload) throw new Error(`no workload '${name}'`);
const parsed = JSON.parse(fixtures) as Fixtures;
const start = performance.now();
if (phase === 'work') workload.work(directory, parsed);
else workload.prepare?.(directory, parsed);
process.stdout.write(`${(performance.now() - start) / 1000}\n`);
