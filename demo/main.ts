/*
 * `npm run demo`: a daemon, two users, a mounted home and the main job before one's eyes. With --exit it ends by
 * itself; without, the mount stays to play with until Ctrl-C. With --svg FILE the scene at a distance becomes a picture. Exit code 0 means that every step did what it should.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Daemon } from './background.js';
import { Recording } from './recording.js';
import { Shell } from './shell.js';
import { setStage, strike } from './stage.js';
import { tour } from './tour.js';

const { values: options } = parseArgs({ options: { exit: { type: 'boolean' }, svg: { type: 'string' } } });
const stays = options.exit !== true;
const recording = new Recording();
const stage = setStage();
const shell = new Shell(stage);
let daemon: Daemon | undefined;

const interrupted = new Promise<'interrupted'>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => resolve('interrupted'));
});

try {
  if ((await Promise.race([play(), interrupted])) === 'interrupted') throw new Error('interrupted');
  if (stays) {
    invite();
    await interrupted;
    process.stdout.write('\n');
  }
  await end();
} catch (failure) {
  process.exitCode = 1;
  process.stdout.write(`\ndemo: failed: ${failure instanceof Error ? failure.message : String(failure)}\n`);
}
daemon?.kill();
strike(stage);
process.exit(); // An interrupted step may still wait for its command.

async function play(): Promise<void> {
  shell.say('The daemon: accounts and quotas in state/ (lmdb), the files of its users in home/');
  process.stdout.write(
    `$ cd ${stage.directory}\n$ export XDG_CONFIG_HOME=$PWD/config FTPMOUNT_STATE=$PWD/state\n`,
  );
  daemon = await Daemon.start(shell);
  await tour(shell, stage, daemon.port, recording);
  if (options.svg !== undefined) writeFileSync(options.svg, recording.svg());
}

/** How to play on, in another terminal. */
function invite(): void {
  shell.say('Every step worked. Play with it in another terminal');
  const mounted = path.join(stage.directory, stage.mountpoint);
  if (stage.withoutMount === undefined) process.stdout.write(`  cd ${mounted}\n`);
  process.stdout.write(
    `  export PATH=${stage.bin}:$PATH XDG_CONFIG_HOME=${stage.directory}/config FTPMOUNT_STATE=${stage.directory}/state\n` +
      `Ctrl-C here ${stage.withoutMount === undefined ? 'unmounts, ' : ''}stops the daemon and removes it all.\n`,
  );
}

/** The proper end, checked like the rest. */
async function end(): Promise<void> {
  shell.say('The end');
  if (stage.withoutMount === undefined) await shell.run(`ftpmount -u ${stage.mountpoint}`);
  await daemon?.stop();
  process.stdout.write('the daemon has stopped\n');
}
