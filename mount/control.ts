/**
 * How other programs reach the process that serves a mount without touching the mount, which may hang: a Unix socket that
 * is named after the mount point and the process, in a directory of the user's. At one place there may be several: one that is
 * mounted, and others that were unmounted and send what is left.
 *
 * One line of JSON is all that is said: the status. The connection then stays open as long as the process lives, so that
 * whoever unmounts can wait for its end.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Failure } from '../protocol/failure.js';
import { isPrivate, makePrivate } from '../client/private-directory.js';

/** What is told of one home of a mount: the user's own, or that of a share. */
export interface HomeStatus extends Amounts {
  /** What this mount may do in it without asking. */
  readonly lease: 'home' | 'parts' | 'none';
  readonly connection: {
    readonly state: 'connected' | 'lost';
    readonly since: number;
    readonly reason?: string;
  };
}

/** What is under way, and what went wrong. */
export interface Amounts {
  /** Operations of the log. */
  readonly unsent: { readonly operations: number; readonly bytes: number };
  readonly undurable: { readonly operations: number; readonly bytes: number };
  /** Operations that were answered and that the server could not make. */
  readonly losses: number;
  /** Operations that met what others changed while this mount was away. */
  readonly conflicts: number;
}

/**
 * What `ftpmount status` shows. Sizes are in bytes, times in milliseconds since 1970. Lease and connection are those of the home
 * that is mounted, the amounts those of all homes.
 */
export interface MountStatus extends HomeStatus {
  readonly pid: number;
  /** Absolute path without symlinks. */
  readonly mountpoint: string;
  readonly server: string;
  /** The shares that were entered, by name. */
  readonly shares: readonly ShareStatus[];
  /** It was unmounted, and sends what is left. */
  readonly ending: boolean;
}

export interface ShareStatus extends HomeStatus {
  readonly name: string;
}

/** The digest of the mount point, and the process that listens. */
const SOCKET = /^([0-9a-f]{32})\.([0-9]+)\.sock$/;
/** With the reasons why 64 shares are not connected. */
const MAX_STATUS = 256 * 1024;

/** $XDG_RUNTIME_DIR, else a directory of the user's own among temporary files; root: /run. */
function directory(environment: NodeJS.ProcessEnv = process.env): string {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return '/run/ftpmount';
  const runtime = environment['XDG_RUNTIME_DIR'];
  return runtime === undefined || runtime === ''
    ? join(tmpdir(), `ftpmount-${uid}`)
    : join(runtime, 'ftpmount');
}

interface ControlSocket {
  readonly path: string;
  /** The process that made it. */
  readonly pid: number;
}

/** Of all mounts of this user, or of those on an absolute path without symlinks; also of processes that were killed. */
function sockets(mountpoint?: string): ControlSocket[] {
  if (!isPrivate(directory())) return [];
  const wanted = mountpoint === undefined ? undefined : digestOf(mountpoint);
  return readdirSync(directory()).flatMap((name) => {
    const [, digest, pid] = SOCKET.exec(name) ?? [];
    if (digest === undefined || (wanted !== undefined && digest !== wanted)) return [];
    return [{ path: join(directory(), name), pid: Number(pid) }];
  });
}

function digestOf(mountpoint: string): string {
  return createHash('sha256').update(mountpoint).digest('hex').slice(0, 32);
}

/** Those that serve, or served, a mount on an absolute path without symlinks, and did not end by themselves. */
export function servingProcesses(mountpoint: string): number[] {
  return sockets(mountpoint).map(({ pid }) => pid);
}

/** Answers `status` to all who ask, until the returned function is called. */
export function serveControl(mountpoint: string, status: () => MountStatus): () => void {
  const path = join(directory(), `${digestOf(mountpoint)}.${process.pid}.sock`);
  const clients = new Set<Socket>();
  let server: Server | undefined;
  try {
    // Among temporary files somebody else may have been first.
    if (!makePrivate(directory())) return () => undefined;
    for (const left of sockets(mountpoint))
      if (left.pid === process.pid || !existsSync(`/proc/${left.pid}`)) rmSync(left.path, { force: true });
    server = createServer((socket) => {
      clients.add(socket);
      socket.on('close', () => clients.delete(socket)).on('error', () => socket.destroy());
      socket.write(`${JSON.stringify(status())}\n`);
    });
    // A mount without it works as well: only its status cannot be asked for.
    server.on('error', () => undefined);
    server.listen(path, () => chmodSync(path, 0o600)).unref();
  } catch {
    return () => undefined;
  }
  return () => {
    server.close();
    for (const socket of clients) socket.destroy();
    rmSync(path, { force: true });
  };
}

/** How long a process may take to answer that is not stopped (milliseconds). */
const ANSWER_MS = 2_000;

/** What a process that serves a mount tells. */
export interface Serving {
  readonly status: MountStatus;
  readonly ended: Promise<void>;
  close(): void;
}

/**
 * The status of a mount, and when its process has ended. One that was unmounted, and sends what is left, is told of where no other one
 * was mounted at its place. ENOENT: nobody serves it; ETIMEDOUT: its process does not answer.
 */
export async function askStatus(mountpoint: string): Promise<Serving> {
  const asked = await Promise.allSettled(sockets(mountpoint).map(ask));
  const serving = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const chosen = serving.find(({ status }) => !status.ending) ?? serving[0];
  for (const one of serving) if (one !== chosen) one.close();
  if (chosen !== undefined) return chosen;
  const silent = asked.find(
    (one) => one.status === 'rejected' && Failure.from(one.reason).kind === 'ETIMEDOUT',
  );
  if (silent !== undefined)
    throw new Failure('ETIMEDOUT', 'the process that serves the mount does not answer');
  throw new Failure(
    'ENOENT',
    `nobody serves a mount on '${mountpoint}': findmnt -t fuse.ftpmount shows what is`,
  );
}

/** The status of all mounts of this user that answer, also of those that were unmounted and send what is left. */
export async function askAll(): Promise<MountStatus[]> {
  const asked = sockets().map(async (socket) => {
    const { status, close } = await ask(socket);
    close();
    return status;
  });
  // What was killed left its socket.
  return (await Promise.allSettled(asked)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}

/** ENOENT, ETIMEDOUT. */
async function ask({ path }: ControlSocket): Promise<Serving> {
  const socket = connect(path);
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  const line = await new Promise<string>((resolve, reject) => {
    let text = '';
    const refuse = (failure: Failure): void => {
      socket.destroy();
      reject(failure);
    };
    const fail = (): void => refuse(new Failure('ENOENT', 'nobody answers'));
    socket.setTimeout(ANSWER_MS, () =>
      refuse(new Failure('ETIMEDOUT', 'the process that serves the mount does not answer')),
    );
    socket.setEncoding('utf8');
    socket.on('data', (more: string) => {
      text += more;
      if (text.includes('\n')) resolve(text);
      else if (text.length > MAX_STATUS) fail();
    });
    socket.once('error', fail).once('end', fail);
  });
  socket.setTimeout(0);
  return {
    status: JSON.parse(line) as MountStatus,
    ended,
    close: () => void socket.destroy(),
  };
}
