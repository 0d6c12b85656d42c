/*
 * OpenSSH as a user has it, for comparison: an sshd of its own on loopback with its own keys and configuration in a
 * temporary directory, so the machine's sshd and the user's ~/.ssh are left alone. Everything else is default.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { temporaryDirectory } from '../test/lib/directory.js';
import { run, succeed } from '../test/lib/run.js';
import type { Scope } from '../test/lib/scope.js';
import { PATIENCE_MS, Service } from '../test/lib/service.js';

const SSHD = '/usr/sbin/sshd';
const SFTP_SERVER = '/usr/lib/openssh/sftp-server';
/** sshd refuses to start as root without its privilege separation directory. */
const PRIVILEGE_SEPARATION = '/run/sshd';

export interface OpenSsh {
  readonly port: number;
  readonly user: string;
  /** Options that ssh, scp and sshfs all take (sshfs hands them on), without the port. */
  readonly options: readonly string[];
}

/** What is missing for a comparison with sshfs, or undefined where nothing is. */
export async function missingOpenSsh(): Promise<string | undefined> {
  if (!existsSync(SSHD) || !existsSync(SFTP_SERVER)) return 'sshd is not installed';
  for (const program of ['sshfs', 'scp']) {
    if (!(await isInstalled(program))) return `${program} is not installed`;
  }
  return undefined;
}

export async function isInstalled(program: string): Promise<boolean> {
  return (await run('sh', ['-c', `command -v ${program}`])).code === 0;
}

/** Starts sshd and waits until it accepts; it ends with the scope. */
export async function startOpenSsh(scope: Scope): Promise<OpenSsh> {
  const directory = temporaryDirectory(scope);
  const file = (name: string): string => path.join(directory, name);
  for (const key of ['host_key', 'user_key'])
    await succeed('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(key)]);
  if (process.geteuid?.() === 0) mkdirSync(PRIVILEGE_SEPARATION, { recursive: true, mode: 0o755 });
  const port = await freePort();
  writeFileSync(
    file('sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${file('host_key')}`,
      `AuthorizedKeysFile ${file('user_key.pub')}`,
      'PidFile none',
      'PasswordAuthentication no',
      'PermitRootLogin prohibit-password',
      'StrictModes no', // The key's directory is below a world-writable one.
      `Subsystem sftp ${SFTP_SERVER}`,
      '',
    ].join('\n'),
  );
  const sshd = new Service(scope, SSHD, ['-D', '-e', '-f', file('sshd_config')]);
  for (const end = Date.now() + PATIENCE_MS; !(await accepts(port)); await delay(20))
    if (sshd.ended || Date.now() > end) throw new Error(`sshd does not listen:\n${sshd.output}`);
  const known = `UserKnownHostsFile=${file('known_hosts')}`;
  return {
    port,
    user: os.userInfo().username,
    options: [
      '-F/dev/null',
      `-oIdentityFile=${file('user_key')}`,
      `-o${known}`,
      '-oStrictHostKeyChecking=no',
    ],
  };
}

/** A port nobody listens on. sshd cannot pick one and tell. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('not a TCP socket');
  return address.port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const answer = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
