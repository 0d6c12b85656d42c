/*
 * The scene that the project is for: work on many small files, in a mounted home at the other end of a long line, in the time
 * that it takes on the local disk.
 */
import { spawnSync } from 'node:child_process';
import { startProxy } from '../bench/proxy.js';
import { OwnScope } from '../test/lib/scope.js';
import type { Shell } from './shell.js';
import type { Stage } from './stage.js';

const RTT_MS = 20;
const FILES = 500;

interface Step {
  readonly title: string;
  /** Run in the directory that has or gets the tree. */
  readonly command: string;
  readonly says?: RegExp;
}

const UNTAR: Step = { title: 'untar', command: 'tar -xf "$OLDPWD/src.tar"' };
const REMOVE: Step = { title: 'rm -rf', command: 'rm -rf src' };
const WITH_GIT: readonly Step[] = [
  { title: 'git commit', command: 'git -C src init -q && git -C src add . && git -C src commit -q -m all' },
  { title: 'git status', command: 'git -C src status', says: /nothing to commit/ },
];

/** Mounts lily's home through a line of RTT_MS and works in it as on the disk. */
export async function farAway(shell: Shell, stage: Stage, port: number): Promise<void> {
  const { farMountpoint: far } = stage;
  const scope = new OwnScope();
  try {
    shell.say(`${RTT_MS} ms away: ${FILES} files at a round trip each would be ${(FILES * RTT_MS) / 1000} s`);
    const proxy = await startProxy(scope, port, RTT_MS);
    await shell.run(
      `for n in $(seq ${FILES}); do mkdir -p src/part-$((n % 20)); seq $n 900 > src/part-$((n % 20))/file-$n; done`,
    );
    await shell.run('tar -cf src.tar src && rm -rf src && mkdir disk');
    await shell.run(
      `ftpmount lily@127.0.0.1: ${far} --port ${proxy.port} --accept-new --password-file lily.password`,
    );
    const steps = [UNTAR, ...(hasGit() ? WITH_GIT : []), REMOVE];
    const rows: string[] = [];
    for (const step of steps) {
      const onDisk = await timed(shell, 'disk', step);
      const inMount = await timed(shell, far, step);
      rows.push(
        `${step.title.padEnd(12)} ${onDisk.toFixed(2).padStart(8)} s ${inMount.toFixed(2).padStart(8)} s`,
      );
    }
    shell.say('And the times');
    shell.print(`${'on the disk'.padStart(23)} ${RTT_MS} ms away\n${rows.join('\n')}\n`);
    await shell.run(`ftpmount status ${far}`);
    await shell.run(`ftpmount -u ${far} && ls home/lily`, { neverSays: /src/ });
  } finally {
    await scope.end();
  }
}

/** Runs a step in a directory; returns its seconds. */
async function timed(shell: Shell, directory: string, { command, says }: Step): Promise<number> {
  const start = performance.now();
  await shell.run(`cd ${directory} && ${command}`, says === undefined ? {} : { says });
  return (performance.now() - start) / 1000;
}

function hasGit(): boolean {
  return spawnSync('git', ['--version'], { stdio: 'ignore' }).status === 0;
}
