/**
 * ftpmount: the command line. Also called by mount(8) as `ftpmount SOURCE MOUNTPOINT -o OPTIONS` for the file system
 * type fuse.ftpmount, and for the type ftpmount by called-by-mount.ts. Each thing to do is loaded when it is asked for: what
 * serves a mount takes as long to load as node itself, and the process that was started needs none of it.
 */
import { resolve } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { Failure } from '../protocol/failure.js';
import { EXIT_CODES_HELP, EXIT_OK } from '../program/exit-codes.js';
import { runProgram } from '../program/report.js';
import { parsePort, parseTarget } from '../client/target.js';
import { VERSION } from '../program/version.js';
import { argumentsOfMount, isCalledByMount } from './called-by-mount.js';
import { parseMountOptions } from './options.js';
import { DRIVERS, type MountRequest } from './request.js';
import { defaultLogFile } from './state-files.js';

const PROGRAM = 'ftpmount';

const HELP = `
Mount options (-o a,b=1; those of mount(8) and sshfs that make sense are accepted):
  ro                   nothing can be changed
  allow_other          other users may enter (as a user: user_allow_other in /etc/fuse.conf)
  uid=N gid=N          owner and group that all files seem to have (default: yours)
  umask=OCTAL          all files show all permission bits but these (neither where the account keeps owners)
  acl                  POSIX ACLs are kept and heeded (setfacl; a request more for each file whose permissions are checked)
  suid dev             set-id bits and devices have their effect (root only; where the account keeps owners)
  allow_suid           suid, by mount(8) and in fstab, which says suid by itself
  allow_dev            dev, likewise
  port=N               as -p
  soft=SECONDS         operations fail after so long without the server (default: they wait)
  keepalive=SECONDS    a silent server is given up after twice as long (1 to 15, default 15)
  unsent=SIZE          changes that may not be on the server's disk yet; beyond, writers wait (default 64M)
  flush                close waits until the server has what was written, as with sshfs and NFS: a round trip
  sync                 every change waits for the server: a round trip each
  nolease              as sync, and never keeps other mounts of this home waiting
  relatime             reading moves atime once after a change and once a day (each costs the server a change)
  strictatime          reading moves atime each time that data are asked for
  noatime              reading moves no atime (default)
  nodiratime           reading moves no atime of directories
  nonempty             mount over a directory that has entries
  accept_new           as --accept-new
  password_stdin       as --password-file -
  noexec               no program in it can be run
  fsname=TEXT          what df and the mount table show (default: USER@HOST:DIR)
  rw exec async noacl  undo ro, noexec, sync, acl: of contradicting options the last one counts
  nosuid nodev         undo suid, dev
  atime norelatime     undo noatime, relatime
  diratime             undoes nodiratime
  remount              what is mounted gets other flags: ro, rw, noexec, noatime and the like (root only)

Folders that are shared with you are in the mount as Shared/NAME; HOST:Shared/NAME mounts one of them itself.

Unmount with ftpmount -u MOUNTPOINT, which waits until everything is on the server, or with umount or fusermount3 -u:
the mount point is free at once then, and what is left is sent behind it. ftpmount status MOUNTPOINT tells how much that is.
${EXIT_CODES_HELP}`;

interface Flags {
  readonly port?: number;
  readonly option?: string[];
  readonly foreground?: true;
  readonly unmount?: true;
  readonly lazy?: true;
  readonly all?: true;
  readonly passwordFile?: string;
  readonly acceptNew?: true;
  readonly driver: (typeof DRIVERS)[number];
  readonly json?: true;
  readonly log?: string;
}

function commandLine(): Command {
  return new Command(PROGRAM)
    .description('Mounts your home on a server as a directory.')
    .usage(
      '[options] [USER@]HOST[:DIR] MOUNTPOINT\n       ftpmount -u MOUNTPOINT\n       ftpmount [-u] --all\n       ftpmount status [--json] MOUNTPOINT\n       ftpmount list [--json]',
    )
    .argument('[places...]', '[USER@]HOST[:DIR] and the directory to mount on')
    .option('-p, --port <port>', 'port of the server (default 8083)', parsePort)
    .option(
      '-o, --option <options>',
      'mount options, see below',
      (value: string, all: readonly string[] = []) => [...all, value],
    )
    .option('-f, --foreground', 'stay in the foreground, log to standard error')
    .option('-u, --unmount', 'unmount MOUNTPOINT')
    .option('-a, --all', 'what config.toml has: [mounts."~/remote"] with source = "alice@host"')
    .option('-z, --lazy', 'with -u: detach at once, also what is in use')
    .option('--password-file <file>', 'read the password from the first line of a file; - is standard input')
    .option('--accept-new', 'remember the key of a server that is not known yet, without asking')
    .addOption(
      new Option('--driver <driver>', 'how to talk to the kernel').choices(DRIVERS).default('kernel'),
    )
    .option('--json', 'with status or list: as JSON')
    .option('--log <file>', `log file (default in the background: ${defaultLogFile()})`)
    .version(VERSION, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', HELP)
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
}

async function main(): Promise<number> {
  const given = process.argv.slice(2);
  const args = isCalledByMount(process.argv) ? argumentsOfMount(given) : given;
  if (args === undefined) return EXIT_OK;
  const command = commandLine();
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT_OK;
    throw new Failure('USAGE', `${error.message.replace(/^error: |\.$/g, '')}: see ${PROGRAM} --help`);
  }
  const flags = command.opts<Flags>();
  const [first, second, ...rest] = command.args;
  if (flags.all === true) {
    if (first !== undefined || flags.foreground === true)
      throw new Failure('USAGE', `write ${PROGRAM} [-u] --all: see ${PROGRAM} --help`);
    const { mountAll, unmountAll } = await import('./configured.js');
    if (flags.unmount === true) return unmountAll(flags.lazy === true);
    return mountAll(({ source, mountpoint, options }) =>
      mountRequest(source, mountpoint, { ...flags, option: [options, ...(flags.option ?? [])] }),
    );
  }
  if (flags.unmount === true) {
    if (first === undefined || second !== undefined)
      throw new Failure('USAGE', `write ${PROGRAM} -u MOUNTPOINT: see ${PROGRAM} --help`);
    const { unmount } = await import('./unmount.js');
    await unmount(first, flags.lazy === true);
    return EXIT_OK;
  }
  if (first === 'status') {
    if (second === undefined || rest.length > 0)
      throw new Failure('USAGE', `write ${PROGRAM} status MOUNTPOINT: see ${PROGRAM} --help`);
    const { showStatus } = await import('./show-status.js');
    process.stdout.write(await showStatus(second, flags.json === true));
    return EXIT_OK;
  }
  // What is listed has no place; one of that name stands before where to mount it.
  if (first === 'list' && second === undefined) {
    const { showList } = await import('./show-list.js');
    process.stdout.write(await showList(flags.json === true));
    return EXIT_OK;
  }
  if (first === undefined || second === undefined || rest.length > 0) {
    throw new Failure('USAGE', `write ${PROGRAM} [USER@]HOST[:DIR] MOUNTPOINT: see ${PROGRAM} --help`);
  }
  const request = mountRequest(first, second, flags);
  if (request.options.remount === true) {
    const { remount } = await import('./fuse/mountpoint.js');
    remount(request.mountpoint, request.options.flags);
    return EXIT_OK;
  }
  if (flags.foreground !== true) {
    const { serveInBackground } = await import('./background.js');
    return serveInBackground(request);
  }
  const { serve } = await import('./serve.js');
  await serve(request, () => undefined);
  return EXIT_OK;
}

function mountRequest(target: string, mountpoint: string, flags: Flags): MountRequest {
  const options = parseMountOptions(flags.option ?? []);
  const logFile = flags.log ?? (flags.foreground === true ? undefined : defaultLogFile());
  return {
    target: parseTarget(target),
    source: target,
    mountpoint: resolve(mountpoint),
    driver: flags.driver,
    options: flags.acceptNew === true ? { ...options, acceptNew: true } : options,
    ...(flags.port === undefined ? {} : { port: flags.port }),
    ...(flags.passwordFile === undefined ? {} : { passwordFile: flags.passwordFile }),
    ...(logFile === undefined ? {} : { logFile: resolve(logFile) }),
  };
}

void runProgram(PROGRAM, main);
