/**
 * What `-o` takes: the options that sshfs, mount(8) and fstab users know. Options that ask for what this mount does
 * anyway are accepted in silence; options that would change the meaning of files and are not supported are refused,
 * because ignoring them would be wrong in a way nobody sees.
 */
import { Failure } from '../protocol/failure.js';
import { KEEPALIVE_MS } from '../protocol/limits.js';
import type { AtimePolicies, AtimePolicy } from './filesystem/access-times.js';
import type { MountFlags } from './fuse/mountpoint.js';

/** The options of one mount, after all `-o` lists were merged; absent means the default. */
export interface MountOptions {
  readonly flags: MountFlags;
  /** Owner and group that all files seem to have. */
  readonly uid?: number;
  readonly gid?: number;
  /** Files and directories show all permission bits but these, as FUSE and sshfs have it. */
  readonly umask?: number;
  readonly port?: number;
  /** What df and the mount table show instead of USER@HOST:DIR. */
  readonly fsname?: string;
  /** Seconds after which operations fail with ETIMEDOUT while the server is away; absent: they wait. */
  readonly soft?: number;
  /** Seconds within which something is sent; the server is given up after twice as long without a word. */
  readonly keepalive?: number;
  /** Bytes of changes that may not be on the server's disk; beyond, writers wait. */
  readonly unsent?: number;
  /** Every change waits for the server. */
  readonly sync?: boolean;
  /** close(2) waits until the server has what was written. */
  readonly flush?: boolean;
  /** Nothing is changed without asking: what others do is never waited for, and they never wait for this mount. */
  readonly nolease?: boolean;
  /** POSIX ACLs are kept, and the kernel checks them. */
  readonly acl?: boolean;
  /** When reading moves atime. */
  readonly atime?: AtimePolicy;
  /** Not that of directories. */
  readonly nodiratime?: boolean;
  /** What is mounted already gets other flags. */
  readonly remount?: boolean;
  readonly acceptNew?: boolean;
  /** The password is the first line of standard input, as sshfs has it. */
  readonly passwordFromStdin?: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Building = Mutable<Omit<MountOptions, 'flags'>> & { flags: Mutable<MountFlags> };
type Apply = (options: Building, value: string) => void;

const SIMPLE: Readonly<Record<string, Apply>> = {
  ro: (o) => (o.flags.readOnly = true),
  rw: (o) => (o.flags.readOnly = false),
  allow_other: (o) => (o.flags.allowOther = true),
  nonempty: (o) => (o.flags.nonempty = true),
  exec: (o) => (o.flags.noexec = false),
  noexec: (o) => (o.flags.noexec = true),
  atime: (o) => (o.flags.noatime = false),
  noatime: (o) => (o.flags.noatime = true),
  relatime: (o) => moveAtime(o, 'relatime'),
  norelatime: (o) => delete o.atime,
  strictatime: (o) => moveAtime(o, 'strictatime'),
  nodiratime: (o) => (o.nodiratime = true),
  diratime: (o) => (o.nodiratime = false),
  suid: (o) => (o.flags.suid = true),
  nosuid: (o) => (o.flags.suid = false),
  dev: (o) => (o.flags.dev = true),
  nodev: (o) => (o.flags.dev = false),
  allow_suid: (o) => (o.flags.suid = true),
  allow_dev: (o) => (o.flags.dev = true),
  remount: (o) => (o.remount = true),
  accept_new: (o) => (o.acceptNew = true),
  password_stdin: (o) => (o.passwordFromStdin = true),
  sync: (o) => (o.sync = true),
  async: (o) => (o.sync = false),
  flush: (o) => (o.flush = true),
  nolease: (o) => (o.nolease = true),
  acl: (o) => (o.acl = true),
  noacl: (o) => (o.acl = false),
};

const VALUED: Readonly<Record<string, Apply>> = {
  uid: (o, value) => (o.uid = whole('uid', value, 10, 0xffff_fffe)),
  gid: (o, value) => (o.gid = whole('gid', value, 10, 0xffff_fffe)),
  umask: (o, value) => (o.umask = whole('umask', value, 8, 0o777)),
  port: (o, value) => (o.port = whole('port', value, 10, 65_535, 1)),
  soft: (o, value) => (o.soft = whole('soft', value, 10, 86_400, 1)),
  keepalive: (o, value) => (o.keepalive = whole('keepalive', value, 10, KEEPALIVE_MS / 1000, 1)),
  unsent: (o, value) => (o.unsent = bytes('unsent', value, MIN_UNSENT, MAX_UNSENT)),
  fsname: (o, value) => (o.fsname = value),
};

/** The names of those that have a meaning here, with `=` behind those that have a value. */
export const MOUNT_OPTIONS: readonly string[] = [
  ...Object.keys(SIMPLE),
  ...Object.keys(VALUED).map((name) => `${name}=`),
];

const MiB = 1024 * 1024;
const MIN_UNSENT = 2 * MiB;
const MAX_UNSENT = 4096 * MiB;
const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: MiB, G: 1024 * MiB };

/** Of options that contradict each other the last one counts, as with mount(8). */
function moveAtime(options: Building, policy: AtimePolicy): void {
  options.atime = policy;
  options.flags.noatime = false;
}

/**
 * What this mount does anyway (the kernel checks permissions by the mode bits, reconnects), or what is meant for others
 * that read the same list: mount(8), systemd.
 */
const ACCEPTED = new Set(
  (
    'defaults auto noauto user nouser users nofail _netdev default_permissions ' +
    'reconnect big_writes auto_cache kernel_cache intr subtype max_read max_write max_readahead ' +
    'user_id group_id idmap cache dir_cache max_conns ServerAliveInterval ServerAliveCountMax TCPKeepAlive'
  ).split(' '),
);

/** mount(8) puts one of these first, and mount.fuse(8) then appends `dev` and `suid`, whatever root has said. */
const FROM_MOUNT = /^r[ow]\b/;
const APPENDED: readonly string[] = ['suid', 'dev'];

function optionsIn(list: string): string[] {
  const options = list.split(',').filter((option) => option !== '');
  return FROM_MOUNT.test(list) ? options.filter((option) => !APPENDED.includes(option)) : options;
}

/** Reads one or more `-o` values. Throws USAGE naming the option and what is allowed. */
export function parseMountOptions(lists: readonly string[]): MountOptions {
  const options: Building = { flags: {} };
  for (const option of lists.flatMap(optionsIn)) {
    const equals = option.indexOf('=');
    const name = equals < 0 ? option : option.slice(0, equals);
    const apply = equals < 0 ? SIMPLE[name] : VALUED[name];
    if (apply !== undefined) apply(options, option.slice(equals + 1));
    else if (!ACCEPTED.has(name) && !name.startsWith('x-'))
      throw new Failure('USAGE', refusal(name, equals >= 0));
  }
  if (options.acl === true && options.umask !== undefined) {
    throw new Failure('USAGE', "options 'acl' and 'umask=' contradict each other: leave one out");
  }
  return options;
}

/** Nothing is read for its time of access unless that is asked for: each costs the server a change. */
export function atimePolicies({ flags, atime, nodiratime = false }: MountOptions): AtimePolicies {
  const isOff = flags.readOnly === true || flags.noatime === true;
  const files = isOff ? 'noatime' : (atime ?? (nodiratime ? 'relatime' : 'noatime'));
  return { files, directories: nodiratime ? 'noatime' : files };
}

function refusal(name: string, hasValue: boolean): string {
  if (!hasValue && name in VALUED) return `option '${name}' needs a value: write -o ${name}=VALUE`;
  if (hasValue && name in SIMPLE) return `option '${name}' takes no value: write -o ${name}`;
  const known = [...Object.keys(SIMPLE), ...Object.keys(VALUED).map((each) => `${each}=`)].sort();
  return `unknown mount option '${name}': use ${known.join(', ')}, or see ftpmount --help`;
}

function whole(name: string, value: string, radix: 8 | 10, max: number, min = 0): number {
  const digits = radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/;
  const number = digits.test(value) ? Number.parseInt(value, radix) : Number.NaN;
  if (!(number >= min && number <= max)) {
    const base = radix === 8 ? 'an octal number' : 'a number';
    throw new Failure(
      'USAGE',
      `option '${name}=${value}' is wrong: give ${base} from ${min} to ${max.toString(radix)}`,
    );
  }
  return number;
}

function bytes(name: string, value: string, min: number, max: number): number {
  const [, digits = '', unit = ''] = /^([0-9]+)([KMG]?)$/i.exec(value) ?? [];
  const size = digits === '' ? Number.NaN : Number(digits) * (SIZE_UNITS[unit.toUpperCase()] ?? 1);
  if (!(size >= min && size <= max)) {
    throw new Failure(
      'USAGE',
      `option '${name}=${value}' is wrong: give a size from ${min / MiB}M to ${max / MiB}M, as in ${name}=64M`,
    );
  }
  return size;
}
