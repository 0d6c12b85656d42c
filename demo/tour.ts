/*
 * What the demo shows, in order. Each command is checked; the first that does not do what it should ends the tour.
 */
import { readdirSync, statSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { farAway } from './far-away.js';
import type { Recording } from './recording.js';
import { DemoFailure, type Shell } from './shell.js';
import type { Stage } from './stage.js';

const MiB = 1024 * 1024;
/** Large enough to see the progress bar and to be interrupted in the middle. */
const LARGE_MIB = 256;
const INTERRUPT_AT = 80 * MiB;

/**
 * Runs the whole tour against a daemon on `port`; throws at the first step that fails. `recording` gets the scene that the
 * project is for.
 */
export async function tour(shell: Shell, stage: Stage, port: number, recording: Recording): Promise<void> {
  const login = (user: string): string => `--port ${port} --accept-new --password-file ${user}.password`;
  await users(shell);
  if (stage.withoutMount === undefined) await mount(shell, stage, login('alice'));
  else shell.say(`Without a mount: ${stage.withoutMount}. All the rest works without it`);
  await files(shell, stage, login('alice'));
  await transfers(shell, stage, login('alice'));
  if (stage.withoutMount === undefined) {
    shell.recording = recording;
    await farAway(shell, stage, port);
    shell.recording = undefined;
  }
  await interruption(shell, stage, login('alice'));
  await quota(shell, stage, login('alice'));
  await privacy(shell, login('lily'));
}

async function users(shell: Shell): Promise<void> {
  shell.say('Two users, with different quotas');
  await shell.run(`umask 077; echo 'correct horse' > alice.password; echo 'battery staple' > lily.password`);
  await shell.run('ftpctl useradd alice --quota 1G --password-file alice.password');
  await shell.run('ftpctl useradd lily --quota 50M --password-file lily.password');
  await shell.run('ftpctl users', { says: /alice[\s\S]*lily/ });
}

async function mount(shell: Shell, { mountpoint }: Stage, login: string): Promise<void> {
  shell.say(`alice's home becomes a local directory`);
  await shell.run(`ftpmount alice@127.0.0.1: ${mountpoint} ${login}`);
  await shell.run(`grep ${mountpoint} /proc/mounts`, { says: /fuse\.ftpmount/ });
}

async function files(shell: Shell, stage: Stage, login: string): Promise<void> {
  const { mountpoint } = stage;
  await shell.run('mkdir notes && seq 1000 > notes/numbers && echo hello > notes/hello');
  if (stage.withoutMount === undefined) {
    shell.say('Ordinary commands work in it');
    await shell.run(`cd ${mountpoint} && mkdir projects && ls -la`, { says: /projects/ });
    await shell.run(`cp -r notes ${mountpoint}/projects/ && ls -lR ${mountpoint}`, { says: /numbers/ });
    await shell.run(`diff -r notes ${mountpoint}/projects/notes && cat ${mountpoint}/projects/notes/hello`, {
      says: /hello/,
    });
  } else {
    shell.say('ftpctl does it without a mount');
    await shell.run(`ftpctl mkdir alice@127.0.0.1:projects ${login}`);
    await shell.run(`ftpctl put -r notes alice@127.0.0.1:projects/ ${login}`);
    await shell.run(`ftpctl cat alice@127.0.0.1:projects/notes/hello ${login}`, { says: /hello/ });
  }
  await shell.run(`ftpctl ls alice@127.0.0.1:projects/notes ${login}`, { says: /numbers/ });
}

async function transfers(shell: Shell, stage: Stage, login: string): Promise<void> {
  shell.say('A large file there and back, with the same MD5 on both sides');
  await shell.run(`head -c ${LARGE_MIB}M /dev/urandom > large`);
  await shell.run(`ftpctl put large alice@127.0.0.1:projects/ ${login}`);
  await shell.run(`ftpctl get alice@127.0.0.1:projects/large back ${login}`);
  const seen = stage.withoutMount === undefined ? `${stage.mountpoint}/projects/large` : '';
  sameSums(await shell.run(`md5sum large home/alice/projects/large back ${seen}`.trimEnd()));
}

/** Throws unless all lines of md5sum's output have the same sum, and there are at least two. */
function sameSums(output: string): void {
  const sums = output.match(/\b[0-9a-f]{32}\b/g) ?? [];
  if (sums.length < 2 || new Set(sums).size !== 1) throw new DemoFailure('the MD5 sums are not the same');
}

async function interruption(shell: Shell, stage: Stage, login: string): Promise<void> {
  shell.say('A put that is killed in the middle (kill -9) goes on where it was');
  const put = `ftpctl put large alice@127.0.0.1:again ${login}`;
  const child = shell.startInFront(put);
  const ended = once(child, 'close');
  while ((await Promise.race([ended, delay(5)])) === undefined)
    if (partialBytes(stage) >= INTERRUPT_AT) child.kill('SIGKILL');
  if (child.signalCode !== 'SIGKILL') throw new DemoFailure('the put ended before it was killed');
  process.stdout.write('Killed\n');
  await shell.run(`ftpctl ls alice@127.0.0.1: ${login}`, { neverSays: /again/ });
  await shell.run(put, { says: /resum/i });
  sameSums(await shell.run('md5sum large home/alice/again'));
}

/** What the server has of uploads that are under way. */
function partialBytes({ directory }: Stage): number {
  const partials = path.join(directory, 'home/alice/.ftpmount');
  try {
    return readdirSync(partials).reduce((sum, name) => sum + statSync(path.join(partials, name)).size, 0);
  } catch {
    return 0; // Not made yet, or one was renamed between the two looks.
  }
}

async function quota(shell: Shell, stage: Stage, login: string): Promise<void> {
  shell.say('The quota is shown, and kept');
  if (stage.withoutMount === undefined) {
    const { mountpoint } = stage;
    await shell.run(`df -h ${mountpoint}`, { says: /1\.0G/ });
    await shell.run(`head -c 2G /dev/zero > ${mountpoint}/too-much`, {
      exit: 'failure',
      says: /Disk quota exceeded/i,
    });
    await shell.run(`rm ${mountpoint}/too-much`);
  } else {
    await shell.run('truncate -s 2G too-much');
    await shell.run(`ftpctl put too-much alice@127.0.0.1: ${login}`, { exit: 'failure', says: /quota/i });
  }
  await shell.run(`ftpctl df alice@127.0.0.1: ${login}`);
}

async function privacy(shell: Shell, login: string): Promise<void> {
  shell.say(`lily sees her own home only`);
  await shell.run(`ftpctl ls lily@127.0.0.1: ${login}`, { neverSays: /projects|again/ });
  await shell.run(`ftpctl cat lily@127.0.0.1:../alice/again ${login}`, { exit: 'failure' });
  await shell.run(`ftpctl ls alice@127.0.0.1: ${login}`, { exit: 'failure', neverSays: /projects|again/ });
}
