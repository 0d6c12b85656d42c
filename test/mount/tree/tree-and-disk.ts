/*
 * A tree and a directory on a disk to which the same random changes are made. The tree's ids are those of the disk.
 */
import { constants, fstatSync, ftruncateSync, openSync, readdirSync } from 'node:fs';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../../../protocol/operations.js';
import type { Attributes, Timestamp } from '../../../protocol/attributes.js';
import { fd, type Fd } from '../../../posix/fd.js';
import { close, openat2, pwrite } from '../../../posix/files.js';
import {
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDWR,
  S_IFMT,
  S_IFREG,
} from '../../../posix/flags.js';
import {
  fchmodat,
  linkat,
  mkdirat,
  mknodat,
  readlinkat,
  renameat2,
  symlinkat,
  unlinkat,
} from '../../../posix/names.js';
import { statxAt, statxFd } from '../../../posix/status.js';
import type { Charge } from '../../../mount/log/entry.js';
import type { DirectoryInode, Inode, Name } from '../../../mount/tree/inode.js';
import { Tree } from '../../../mount/tree/tree.js';
import { ROOT_PATH } from '../../../protocol/ids.js';
import type { Random } from '../../lib/random.js';
import { attributesOf, errnoOf, idOf, statusOf } from './disk.js';
import { GivenLeases, outcomeOf } from './planted.js';

const NAMES = ['a', 'b', 'c', 'd', 'e', '\xff\xfe', 'n'.repeat(255), 'n'.repeat(256)];
const MAX_SIZE = 20_000;
const MAX_OPEN = 10;

/** What a change came to: the name of the errno, 'done', 'none' where there was nothing to do, 'forgotten'. */
export interface Outcomes {
  readonly tree: string;
  readonly disk: string;
}

const NONE: Outcomes = { tree: 'none', disk: 'none' };

interface Place {
  readonly directory: DirectoryInode;
  readonly key: string;
}

export class TreeAndDisk {
  readonly tree: Tree;
  readonly #random: Random;
  /** Every directory that the test has come across, also when it was removed, and where it is on the disk. */
  readonly #directories = new Map<DirectoryInode, Fd>();
  readonly #open = new Map<Inode, Fd>();
  readonly #root: Fd;
  #time = 0;
  /** The tree keeps too few names to have all at hand that decides a change. */
  readonly #forgetful: boolean;
  /** What the tree says that is charged. */
  bytes = 0;
  files = 0;
  readonly text: string[] = [];

  constructor(at: string, random: Random, maxNames: number, forgetful: boolean) {
    this.#forgetful = forgetful;
    this.#random = random;
    this.#root = fd(openSync(at, constants.O_RDONLY | O_DIRECTORY));
    this.tree = new Tree({
      root: attributesOf(statxFd(this.#root)),
      path: ROOT_PATH,
      leases: new GivenLeases(),
      maxNames,
    });
    this.#directories.set(this.tree.root, this.#root);
  }

  close(): void {
    for (const each of [...this.#directories.values(), ...this.#open.values()]) close(each);
  }

  /** Makes one change of a random kind in both, and returns both outcomes. */
  step(): Outcomes {
    this.#time++;
    this.#forgetSome();
    const kinds = [
      () => this.#create(),
      () => this.#create(),
      () => this.#mkdir(),
      () => this.#symlink(),
      () => this.#link(),
      () => this.#unlink(),
      () => this.#rmdir(),
      () => this.#rename(),
      () => this.#rename(),
      () => this.#truncate(),
      () => this.#write(),
      () => this.#chmod(),
      () => this.#openOrClose(),
    ];
    return (kinds[this.#random(kinds.length)] as (typeof kinds)[number])();
  }

  get #now(): Timestamp {
    return { sec: this.#time, nsec: 0 };
  }

  #place(): Place {
    const known = [...this.#directories.keys()];
    // Mostly the few that were made lately, so that names meet.
    const directory = known[Math.max(0, known.length - 1 - this.#random(8))] as DirectoryInode;
    return {
      directory: this.#random(4) === 0 ? this.tree.root : directory,
      key: NAMES[this.#random(NAMES.length)] as string,
    };
  }

  #at({ directory, key }: Place): [Fd, Buffer] {
    return [this.#directories.get(directory) ?? this.#root, Buffer.from(key, 'latin1')];
  }

  /** As a kernel does in its own time; it keeps directories that it uses, and what is open. */
  #forgetSome(): void {
    for (const { key, inode, parent } of this.tree.listing(this.tree.root) ?? []) {
      if (inode.nodeId !== 0 && inode.opens === 0 && !inode.isDirectory() && this.#random(20) === 0) {
        this.tree.forget(inode.nodeId, BigInt(inode.lookups));
        if (parent.directory.names.get(key)?.inode !== inode) throw new Error('a name went with the kernel');
      }
    }
  }

  /** Looks a name up as a mount does: in the tree, else on the disk. */
  look(place: Place): Inode | undefined {
    const { directory, key } = place;
    let name = this.tree.lookup(directory, key);
    if (name === undefined && key.length <= 255) {
      const [at, bytes] = this.#at(place);
      const status = statusOf(at, bytes);
      if (status === undefined) this.tree.notFound(directory, key);
      else this.tree.found(directory, key, attributesOf(status));
      name = this.tree.lookup(directory, key);
    }
    if (name === undefined || name === 'absent') return undefined;
    this.#came(name.inode, place);
    return name.inode;
  }

  /** A directory that is come across is used from now on, and known to the kernel. */
  #came(inode: Inode, place: Place): DirectoryInode | undefined {
    if (!inode.isDirectory()) return undefined;
    const kept = this.tree.getDirectory(this.tree.remember(inode));
    if (this.#directories.has(kept)) return kept;
    const [at, bytes] = this.#at(place);
    this.#directories.set(kept, openat2(at, bytes, { flags: O_DIRECTORY | O_NOFOLLOW }));
    return kept;
  }

  /** Lists a directory where all its names have to be known, and are not. */
  #learnWhole(directory: DirectoryInode): readonly Name[] {
    const known = this.tree.listing(directory);
    if (known !== undefined) return known;
    const at = this.#directories.get(directory) ?? this.#root;
    const keys = readdirSync(`/proc/self/fd/${at}`, 'latin1');
    const pages = [keys.slice(0, keys.length / 2), keys.slice(keys.length / 2)];
    const told: Name[] = [];
    for (const [index, page] of pages.entries()) {
      const entries = page.map((key) => ({
        key,
        attributes: attributesOf(statxAt(at, Buffer.from(key, 'latin1'), AT_SYMLINK_NOFOLLOW)),
        target: null,
      }));
      told.push(...this.tree.pageOf(directory, entries, index === 0, index === 1));
    }
    // Also where there are too many to be kept.
    if (told.length !== keys.length) throw new Error('a listing lost names');
    return told;
  }

  /** Does the same to both: to the disk first, for its ids. */
  #same(text: string, disk: () => void, tree: () => void, may: boolean): Outcomes {
    this.text.push(text);
    if (!may) {
      if (this.#forgetful) return { disk: 'forgotten', tree: 'forgotten' };
      throw new Error(`all is known and owned, and yet it may not be done here: ${text}`);
    }
    const outcome = errnoOf(disk);
    return { disk: outcome, tree: outcomeOf(tree) };
  }

  #charge({ bytes, files }: Charge): void {
    this.bytes += bytes;
    this.files += files;
  }

  /** Makes a name on the disk, and with its id in the tree. */
  #make(
    text: string,
    place: Place,
    disk: (at: Fd, name: Buffer) => void,
    tree: (id: { ino: bigint; birth: bigint }) => Inode,
  ): Outcomes {
    this.look(place);
    const [at, name] = this.#at(place);
    return this.#same(
      `${text} ${show(place)}`,
      () => disk(at, name),
      () => {
        // Where the disk refused there is something, or nothing: the tree has to refuse, too.
        const inode = tree(idOf(statusOf(at, name)));
        this.#charge({ bytes: 0, files: 1 });
        this.#came(inode, place);
      },
      this.tree.mayChangeName(place.directory, place.key),
    );
  }

  #create(): Outcomes {
    const place = this.#place();
    const mode = [0o100644, 0o100600, 0o010644, 0o140644][this.#random(4)] as number;
    return this.#make(
      'create',
      place,
      (at, name) => mknodat(at, name, mode, 0),
      (id) => this.tree.create(place.directory, place.key, { id, mode, time: this.#now }),
    );
  }

  #mkdir(): Outcomes {
    const place = this.#place();
    return this.#make(
      'mkdir',
      place,
      (at, name) => mkdirat(at, name, 0o755),
      (id) => this.tree.mkdir(place.directory, place.key, { id, mode: 0o755, time: this.#now }),
    );
  }

  #symlink(): Outcomes {
    const place = this.#place();
    const target = Buffer.from('t'.repeat(this.#random(50)));
    return this.#make(
      'symlink',
      place,
      (at, name) => symlinkat(target, at, name),
      (id) => this.tree.symlink(place.directory, place.key, { id, target, time: this.#now }),
    );
  }

  #link(): Outcomes {
    const [from, to] = [this.#place(), this.#place()];
    const inode = this.look(from);
    this.look(to);
    const [at, name] = this.#at(from);
    const [newAt, newName] = this.#at(to);
    if (inode === undefined) return NONE;
    return this.#same(
      `link ${show(from)} ${show(to)}`,
      () => linkat(at, name, newAt, newName, 0),
      () => this.tree.link(inode, to.directory, to.key, this.#now),
      this.tree.mayChangeName(to.directory, to.key) && this.tree.mayChange(inode),
    );
  }

  #unlink(): Outcomes {
    const place = this.#place();
    this.look(place);
    const [at, name] = this.#at(place);
    return this.#same(
      `unlink ${show(place)}`,
      () => unlinkat(at, name, 0),
      () => this.#charge(this.tree.unlink(place.directory, place.key, this.#now).freed),
      this.tree.mayChangeName(place.directory, place.key),
    );
  }

  #rmdir(): Outcomes {
    const place = this.#place();
    const inode = this.look(place);
    if (inode?.isDirectory() === true) this.#learnWhole(inode);
    // A name may have been pushed out by those of the listing.
    this.look(place);
    const [at, name] = this.#at(place);
    return this.#same(
      `rmdir ${show(place)}`,
      () => unlinkat(at, name, AT_REMOVEDIR),
      () => this.#charge(this.tree.rmdir(place.directory, place.key, this.#now).freed),
      this.tree.mayRmdir(place.directory, place.key),
    );
  }

  #rename(): Outcomes {
    const [from, to] = [this.#place(), this.#place()];
    const flags = [0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE | RENAME_NOREPLACE][
      this.#random(6)
    ] as number;
    const target = this.look(to);
    if (target?.isDirectory() === true) this.#learnWhole(target);
    this.look(from);
    this.look(to);
    const [at, name] = this.#at(from);
    const [newAt, newName] = this.#at(to);
    return this.#same(
      `rename ${show(from)} ${show(to)} ${flags}`,
      () => renameat2(at, name, newAt, newName, flags),
      () =>
        this.#charge(
          this.tree.rename(from.directory, from.key, to.directory, to.key, flags, this.#now).freed,
        ),
      this.tree.mayRename(from.directory, from.key, to.directory, to.key, flags),
    );
  }

  #file(use: (inode: Inode, file: Fd, text: string) => Outcomes): {
    tree: string;
    disk: string;
  } {
    const open = [...this.#open];
    if (open.length > 0 && this.#random(2) === 0) {
      const [inode, file] = open[this.#random(open.length)] as (typeof open)[number];
      this.#learnAttributes(inode, file);
      return use(inode, file, `open ${inode.id.ino}`);
    }
    const place = this.#place();
    const inode = this.look(place);
    if (inode === undefined || (inode.attributes.mode & S_IFMT) !== S_IFREG) return NONE;
    const [at, name] = this.#at(place);
    const file = openat2(at, name, { flags: O_RDWR });
    try {
      return use(inode, file, show(place));
    } finally {
      close(file);
    }
  }

  /** An open file whose name is not known any more may not be changed without asking: asks for the name. */
  #learnAttributes(inode: Inode, file: Fd): void {
    if (this.tree.mayChange(inode)) return;
    for (const directory of this.#directories.keys()) if (!directory.removed) this.#learnWhole(directory);
    this.tree.told(inode, attributesOf(statxFd(file)));
  }

  #truncate(): Outcomes {
    const size = this.#random(MAX_SIZE);
    return this.#file((inode, file, text) =>
      this.#same(
        `truncate ${text} ${size}`,
        () => ftruncateSync(file, size),
        () => this.#charge(this.tree.setattr(inode, { size }, this.#now)),
        this.tree.mayChange(inode),
      ),
    );
  }

  #write(): Outcomes {
    const [offset, length] = [this.#random(MAX_SIZE), 1 + this.#random(5000)];
    return this.#file((inode, file, text) =>
      this.#same(
        `write ${text} ${offset} ${length}`,
        () => pwrite(file, Buffer.alloc(length, 'x'), 0, length, offset),
        () => this.#charge(this.tree.wrote(inode, offset, offset + length, this.#now)),
        this.tree.mayChange(inode),
      ),
    );
  }

  #chmod(): Outcomes {
    const place = this.#place();
    const mode = 0o600 + this.#random(0o100);
    const inode = this.look(place);
    if (inode === undefined || (inode.attributes.mode & S_IFMT) === 0o120000) return NONE;
    const [at, name] = this.#at(place);
    return this.#same(
      `chmod ${show(place)} ${mode.toString(8)}`,
      () => fchmodat(at, name, mode),
      () => this.tree.setattr(inode, { mode }, this.#now),
      this.tree.mayChange(inode),
    );
  }

  #openOrClose(): Outcomes {
    const open = [...this.#open];
    if (open.length > this.#random(MAX_OPEN)) {
      const [inode, file] = open[this.#random(open.length)] as (typeof open)[number];
      close(file);
      this.#open.delete(inode);
      inode.opens--;
      inode.held = false;
      this.#charge(this.tree.closed(inode));
      this.tree.forget(this.tree.remember(inode), BigInt(inode.lookups));
      return NONE;
    }
    return this.#file((inode, file) => {
      if (this.#open.has(inode)) return NONE;
      this.tree.remember(inode);
      inode.opens++;
      inode.held = true;
      this.#open.set(inode, fd(openSync(`/proc/self/fd/${file}`, 'r+')));
      return NONE;
    });
  }

  /** Both as they are, as text: [tree, disk]. A tree that forgets learns again what it forgot. */
  shown(): [string[], string[]] {
    const [tree, disk]: [string[], string[]] = [[], []];
    const walk = (directory: DirectoryInode, at: string): void => {
      const names = this.#forgetful ? this.#learnWhole(directory) : this.tree.listing(directory);
      const dirfd = this.#directories.get(directory) ?? this.#root;
      for (const key of readdirSync(`/proc/self/fd/${dirfd}`, 'latin1')) {
        const bytes = Buffer.from(key, 'latin1');
        const status = attributesOf(statxAt(dirfd, bytes, AT_SYMLINK_NOFOLLOW));
        disk.push(
          describe(
            `${at}/${key}`,
            status,
            (status.mode & S_IFMT) === 0o120000 ? readlinkat(dirfd, bytes) : undefined,
          ),
        );
      }
      for (const { key, inode } of names ?? []) {
        const { target } = inode;
        const unknown =
          this.#forgetful && target === undefined && (inode.attributes.mode & S_IFMT) === 0o120000;
        tree.push(
          describe(
            `${at}/${key}`,
            inode.attributes,
            unknown ? readlinkat(dirfd, Buffer.from(key, 'latin1')) : target,
          ),
        );
        const below = this.#came(inode, { directory, key });
        if (below !== undefined) walk(below, `${at}/${key}`);
      }
    };
    walk(this.tree.root, '');
    for (const [inode, file] of this.#open) {
      if (this.#forgetful && !this.tree.knows(inode)) this.#learnAttributes(inode, file);
      tree.push(describe('open', inode.attributes, undefined));
      disk.push(describe('open', attributesOf(statxFd(file)), undefined));
    }
    return [tree.sort(), disk.sort()];
  }

  /** What the disk has that is charged: each file once, also those that are open and have no name. After shown(). */
  charged(): { bytes: number; files: number } {
    const files = new Map<number, number>();
    for (const at of this.#directories.values()) {
      for (const key of readdirSync(`/proc/self/fd/${at}`, 'latin1')) {
        const { ino, mode, size } = statxAt(at, Buffer.from(key, 'latin1'), AT_SYMLINK_NOFOLLOW);
        files.set(Number(ino), (mode & S_IFMT) === S_IFREG ? size : 0);
      }
    }
    for (const file of this.#open.values()) {
      const { ino, size } = fstatSync(file);
      files.set(ino, size);
    }
    let bytes = 0;
    for (const size of files.values()) bytes += size;
    return { bytes, files: files.size };
  }
}

/** What both must agree on. Sizes of directories are the disk’s own. */
function describe(name: string, { ino, mode, nlink, size }: Attributes, target: Buffer | undefined): string {
  const shown = (mode & S_IFMT) === 0o040000 ? '-' : size;
  return `${name} ${ino} ${mode.toString(8)} nlink ${nlink} size ${shown} ${target?.toString() ?? ''}`;
}

function show({ directory, key }: Place): string {
  return `${directory.id.ino}/${key.length > 20 ? `n${key.length}` : key}`;
}
