/*
 * A process that opens and locks files as it is told, line by line, and tells how that ended. Words: lock-program.ts.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Mounted } from './mounted.js';
import { LOCK_WORDS } from './lock-program.js';
import type { Scope } from './scope.js';
import { PATIENCE_MS, Service } from './service.js';

/** fcntl(2), flock(2) of x86-64 and arm64, as /proc/PID/syscall begins. */
const LOCKING = /^(?:72|73|25|32) /;
const POLL_MS = 10;

/** Each line is Perl, with files opened as $f{NAME}; it is answered as 'NUMBER: RESULT'. A signal USR1 does nothing. */
const LOOP = String.raw`
$| = 1; my %f; my $number = 0; $SIG{USR1} = sub {};
while (my $line = <STDIN>) { $number++; my $result = eval $line; $result = $@ || 'undef' unless defined $result; print "$number: $result\n" }
`;

export class Locker {
  readonly service: Service;
  #number = 0;

  constructor(scope: Scope, mounted: Mounted) {
    const options = { cwd: mounted.mountpoint, listens: true };
    this.service = new Service(scope, 'perl', ['-e', LOCK_WORDS + LOOP], options);
  }

  /** Runs a line; resolves to what it gives. */
  async run(line: string): Promise<string> {
    this.#number += 1;
    const number = this.#number;
    this.service.say(line);
    const [, result = ''] = await this.service.says(new RegExp(`^${number}: (.*)$`, 'm'));
    return result;
  }

  /** Opens a file for reading and writing. */
  async open(file: string): Promise<void> {
    await this.run(`$f{'${file}'} = opened('${file}'); 'opened'`);
  }

  /** Takes a POSIX lock of the whole file, or gives it back. */
  posix(file: string, type: 'r' | 'w' | 'u', wait = false): Promise<string> {
    return this.run(`posix($f{'${file}'}, '${type}', 0, 0, ${wait ? 1 : 0})`);
  }

  /** Waits until a call that was run waits for a lock. */
  async waits(): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await delay(POLL_MS)) {
      if (LOCKING.test(readFileSync(`/proc/${this.service.pid}/syscall`, 'latin1'))) return;
    }
    throw new Error('it does not wait');
  }

  flock(file: string, type: 'r' | 'w' | 'u', wait = false): Promise<string> {
    return this.run(`flocked($f{'${file}'}, '${type}', ${wait ? 1 : 0})`);
  }
}
