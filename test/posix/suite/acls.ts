/* POSIX ACLs, of a file system that has them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { fd as openFd } from '../../../posix/fd.js';
import { O_TMPFILE } from '../../../posix/flags.js';
import { getXattr, listXattrs, removeXattr, setXattr } from '../../../posix/xattrs.js';
import { command, fails, withFile, type Operation } from '../operation.js';

const ACCESS = Buffer.from('system.posix_acl_access');
const DEFAULT = Buffer.from('system.posix_acl_default');
const ALICE = { uid: 12_001, gid: 12_100 };
const BOB = { uid: 12_002, gid: 12_200 };
const NOBODY = 0xffff_ffff;

/** Tags of entries, by the bit that stands for each. */
const TAGS = ['u:', 'u', 'g:', 'g', 'm:', 'o:'];

/** Of an ACL as acl(5) has it in short: 'u::rwx,u:12001:r-x,g::r--,m::rwx,o::---'. */
function bytesOf(acl: string): Buffer {
  const entries = acl.split(',').map((entry) => {
    const [kind = '', id = '', rwx = ''] = entry.split(':');
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(1 << TAGS.indexOf(id === '' ? `${kind}:` : kind), 0);
    bytes.writeUInt16LE(
      [...rwx].reduce((sum, each, index) => (each === '-' ? sum : sum | (4 >> index)), 0),
      2,
    );
    bytes.writeUInt32LE(id === '' ? NOBODY : Number(id), 4);
    return bytes;
  });
  return Buffer.concat([Buffer.from([2, 0, 0, 0]), ...entries]);
}

function textOf(bytes: Buffer): string {
  const entries: string[] = [];
  for (let start = 4; start < bytes.length; start += 8) {
    const [kind = ''] = TAGS[Math.log2(bytes.readUInt16LE(start))] ?? '';
    const id = bytes.readUInt32LE(start + 4);
    const rwx = [...'rwx'].map((each, index) =>
      (bytes.readUInt16LE(start + 2) & (4 >> index)) === 0 ? '-' : each,
    );
    entries.push(`${kind}:${id === NOBODY ? '' : id}:${rwx.join('')}`);
  }
  return entries.join(',');
}

function set(file: string, acl: string, name = ACCESS): void {
  setXattr({ path: Buffer.from(file) }, name, bytesOf(acl), 0);
}

/** Undefined: it has none. */
function get(file: string, name = ACCESS): string | undefined {
  const value = getXattr({ path: Buffer.from(file) }, name);
  return value && textOf(value);
}

function modeOf(file: string): number {
  return fs.statSync(file).mode & 0o7777;
}

function may({ uid, gid }: { uid: number; gid: number }, directory: string, ...program: string[]): boolean {
  const [name = '', ...args] = program;
  const { status, error } = spawnSync(name, args, { uid, gid, cwd: directory });
  if (error) throw error;
  return status === 0;
}

export const acls: Record<string, Operation> = {
  'one that is set says the mode, and chmod says the mask'(d) {
    const file = at(d, 'f');
    fs.writeFileSync(file, '');
    fs.chmodSync(file, 0o4640);
    set(file, `u::rwx,u:${ALICE.uid}:rw-,g::r--,m::rw-,o::---`);
    assert.equal(modeOf(file), 0o4760);
    fs.chmodSync(file, 0o604);
    assert.equal(get(file), `u::rw-,u:${ALICE.uid}:rw-,g::r--,m::---,o::r--`);
    assert.deepEqual(listXattrs({ path: Buffer.from(file) }).map(String), [ACCESS.toString()]);
  },
  'one that a mode can say is none, and to remove one leaves the mode'(d) {
    const file = at(d, 'f');
    fs.writeFileSync(file, '', { mode: 0o600 });
    removeXattr({ path: Buffer.from(file) }, ACCESS);
    const named = `u::rw-,u:${ALICE.uid}:rwx,g::r--,m::rwx,o::---`;
    set(file, named);
    removeXattr({ path: Buffer.from(file) }, ACCESS);
    assert.deepEqual([get(file), modeOf(file)], [undefined, 0o670]);
    set(file, named);
    set(file, 'u::rw-,g::r--,o::---');
    assert.deepEqual([get(file), modeOf(file)], [undefined, 0o640]);
    assert.deepEqual(listXattrs({ path: Buffer.from(file) }), []);
  },
  'the kernel lets in whom one names, and nobody else'(d) {
    fs.chmodSync(d, 0o755);
    fs.writeFileSync(at(d, 'f'), 'secret', { mode: 0o600 });
    set(at(d, 'f'), `u::rw-,u:${ALICE.uid}:r--,g::---,g:${BOB.gid}:-w-,m::rw-,o::---`);
    assert.equal(may(ALICE, d, 'cat', 'f'), true);
    assert.equal(may(ALICE, d, 'sh', '-c', 'echo >> f'), false);
    assert.equal(may(BOB, d, 'cat', 'f'), false);
    assert.equal(may(BOB, d, 'sh', '-c', 'echo >> f'), true);
    fs.chmodSync(at(d, 'f'), 0o600);
    assert.equal(may(ALICE, d, 'cat', 'f'), false);
  },
  'what is made inherits the default one, whatever the umask'(d) {
    const directory = at(d, 'x');
    fs.mkdirSync(directory);
    const defaults = `u::rwx,u:${ALICE.uid}:rwx,g::r-x,m::rwx,o::---`;
    set(directory, defaults, DEFAULT);
    command(directory, 'sh', '-c', 'umask 077; echo > f; mkdir y; mkdir y/z; ln -s f l');
    assert.equal(get(at(directory, 'f')), `u::rw-,u:${ALICE.uid}:rwx,g::r-x,m::rw-,o::---`);
    assert.equal(modeOf(at(directory, 'f')), 0o660);
    for (const made of ['y', 'y/z']) {
      assert.equal(get(at(directory, made)), defaults);
      assert.equal(get(at(directory, made), DEFAULT), defaults);
      assert.equal(modeOf(at(directory, made)), 0o770);
    }
    set(directory, 'u::rwx,g::r-x,o::---', DEFAULT);
    command(directory, 'sh', '-c', 'umask 0; echo > g; mkdir w');
    assert.deepEqual([get(at(directory, 'g')), modeOf(at(directory, 'g'))], [undefined, 0o640]);
    assert.equal(get(at(directory, 'w'), DEFAULT), 'u::rwx,g::r-x,o::---');
    removeXattr({ path: Buffer.from(directory) }, DEFAULT);
    command(directory, 'sh', '-c', 'umask 027; echo > h');
    assert.equal(modeOf(at(directory, 'h')), 0o640);
  },
  'what has no name yet inherits it, too'(d) {
    set(d, `u::rwx,u:${ALICE.uid}:rwx,g::r-x,m::rwx,o::---`, DEFAULT);
    withFile(d, fs.constants.O_RDWR | O_TMPFILE, (fd) => {
      fs.writeSync(fd, 'content');
      const acl = getXattr({ fd: openFd(fd) }, ACCESS);
      assert.equal(acl && textOf(acl), `u::rw-,u:${ALICE.uid}:rwx,g::r-x,m::r--,o::---`);
    });
  },
  'who is not in the group takes set-group-ID by one'(d) {
    fs.chmodSync(d, 0o755);
    fs.mkdirSync(at(d, 'x'));
    fs.writeFileSync(at(d, 'f'), '');
    for (const [name, group, left] of [
      ['f', 12_300, 0o2777],
      ['f', 12_301, 0o777],
      ['x', 12_301, 0o777],
    ] as const) {
      fs.chownSync(at(d, name), 12_003, 12_300);
      fs.chmodSync(at(d, name), 0o2755);
      withFile(at(d, name), 'r', (fd) => {
        process.setegid?.(group);
        process.seteuid?.(12_003);
        try {
          setXattr({ fd: openFd(fd) }, ACCESS, bytesOf('u::rwx,g::rwx,o::rwx'), 0);
        } finally {
          process.seteuid?.(0);
          process.setegid?.(0);
        }
      });
      assert.equal(fs.statSync(at(d, name)).mode & 0o7777, left, `${name} by one of ${group}`);
    }
  },
  'a file has no default one, and what is none is refused'(d) {
    const file = at(d, 'f');
    fs.writeFileSync(file, '');
    fails('EACCES', () => set(file, 'u::rwx,g::r-x,o::---', DEFAULT));
    fails('EINVAL', () => set(file, `u::rwx,u:${ALICE.uid}:rwx,g::r-x,o::---`));
    assert.equal(get(file), undefined);
  },
};
