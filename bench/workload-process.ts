/*
 * One phase of one workload in a process of its own: `workload-process.js NAME prepare|work DIRECTORY SECOND
 * FIXTURES` (FIXTURES as JSON). It prints the seconds the phase took, without the start of the process.
 */
import type { Fixtures } from './fixtures.js';
import { sharing } from './sharing.js';
import { workloads } from './workloads.js';

const [name, phase, directory = '', second = '', fixtures = ''] = process.argv.slice(2);
const workload = [...workloads, ...sharing].find((each) => each.name === name);
if (!workload) throw new Error(`no workload '${name}'`);
const parsed = JSON.parse(fixtures) as Fixtures;
const start = performance.now();
if (phase === 'work') await workload.work(directory, parsed, second);
else workload.prepare?.(directory, parsed, second);
process.stdout.write(`${(performance.now() - start) / 1000}\n`);
