/*
 * Owners, set-id bits and devices: what root, and those whom root lets in, rely on. Run as root, on a file system that keeps
 * owners and is mounted with suid and dev.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { command, fails, read, withFile, type Operation } from '../operation.js';

const ALICE = { uid: 12_001, gid: 12_100 };
const BOB = { uid: 12_002, gid: 12_200 };
const HIGHEST = 2 ** 32 - 2;

type Who = typeof ALICE;

/** Runs a program in the directory as somebody who is in no other group; its errors are text. */
function as(
  { uid, gid }: Who,
  directory: string,
  program: string,
  ...args: string[]
): ReturnType<typeof run> {
  return run(directory, program, args, { uid, gid });
}

function run(directory: string, program: string, args: string[], who: Who) {
  const env = { ...process.env, LC_ALL: 'C' };
  const result = spawnSync(program, args, { cwd: directory, encoding: 'utf8', env, ...who });
  if (result.error) throw result.error;
  return result;
}

function may(who: Who, directory: string, program: string, ...args: string[]): string {
  const { status, stdout, stderr } = as(who, directory, program, ...args);
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function mayNot(who: Who, directory: string, why: RegExp, program: string, ...args: string[]): void {
  const { status, stderr } = as(who, directory, program, ...args);
  assert.notEqual(status, 0, `${program} ${args.join(' ')}`);
  assert.match(stderr, why);
}

const DENIED = /Permission denied/;
const NOT_PERMITTED = /Operation not permitted/;

/** MODE:UID:GID, the mode octal with its type. */
function told(file: string): string {
  const { mode, uid, gid } = fs.lstatSync(file);
  return `${mode.toString(8)}:${uid}:${gid}`;
}

/** Makes a file of an owner. */
function make(file: string, { uid, gid }: Who, mode: number, data = ''): string {
  fs.writeFileSync(file, data);
  fs.chownSync(file, uid, gid);
  fs.chmodSync(file, mode);
  return file;
}

/** The directory lets all in. */
function open(directory: string, mode = 0o755): (name: string) => string {
  fs.chmodSync(directory, mode);
  return (name) => path.join(directory, name);
}

export const owners: Readonly<Record<string, Operation>> = {
  'chown, lchown and fchown are seen, each id by itself'(directory) {
    const at = open(directory);
    make(at('f'), ALICE, 0o640);
    assert.equal(told(at('f')), '100640:12001:12100');
    fs.chownSync(at('f'), HIGHEST, HIGHEST);
    assert.equal(told(at('f')), `100640:${HIGHEST}:${HIGHEST}`);
    withFile(at('f'), 'r', (fd) => fs.fchownSync(fd, 0, 7));
    command(directory, 'chown', '5', 'f');
    assert.equal(told(at('f')), '100640:5:7');
    command(directory, 'chgrp', '6', 'f');
    assert.equal(told(at('f')), '100640:5:6');
    fs.symlinkSync('f', at('l'));
    fs.lchownSync(at('l'), 8, 9);
    assert.equal(told(at('l')), '120777:8:9');
    fs.chownSync(at('l'), 1, 2);
    assert.deepEqual([told(at('l')), told(at('f'))], ['120777:8:9', '100640:1:2'], 'chown follows');
  },

  'each kind of file has an owner and all bits of its mode'(directory) {
    const at = open(directory);
    fs.mkdirSync(at('d'));
    command(directory, 'mkfifo', 'p');
    command(directory, 'mknod', 'c', 'c', '1', '3');
    command(directory, 'mknod', 'b', 'b', '4095', '1048575');
    fs.writeFileSync(at('f'), '');
    for (const [name, type] of Object.entries({ d: 0o4, p: 0o1, c: 0o2, b: 0o6, f: 0o10 }))
      for (const mode of [0, 0o7777, 0o4000, 0o2070, 0o1007, 0o644]) {
        fs.chownSync(at(name), ALICE.uid, ALICE.gid);
        fs.chmodSync(at(name), mode);
        assert.equal(told(at(name)), `${((type << 12) | mode).toString(8)}:12001:12100`, name);
      }
    assert.equal(command(directory, 'stat', '-c', '%t %T %F', 'c'), '1 3 character special file\n');
    assert.equal(command(directory, 'stat', '-c', '%t %T %F', 'b'), 'fff fffff block special file\n');
  },

  'hard links have one owner, and a rename keeps it'(directory) {
    const at = open(directory);
    make(at('a'), ALICE, 0o4755);
    fs.linkSync(at('a'), at('b'));
    fs.chownSync(at('b'), 3, 4);
    fs.renameSync(at('a'), at('c'));
    fs.unlinkSync(at('b'));
    assert.equal(told(at('c')), '100755:3:4');
    make(at('d'), BOB, 0o600);
    fs.renameSync(at('c'), at('d'));
    assert.equal(told(at('d')), '100755:3:4');
  },

  'chown moves ctime, and takes the set-id bits of what is no directory'(directory) {
    const at = open(directory);
    for (const [before, after] of [
      [0o6755, 0o755],
      [0o6745, 0o2745],
      [0o4644, 0o644],
      [0o1777, 0o1777],
    ] as const) {
      make(at('f'), ALICE, before);
      const { ctimeNs } = fs.statSync(at('f'), { bigint: true });
      fs.chownSync(at('f'), BOB.uid, BOB.gid);
      assert.equal(fs.statSync(at('f')).mode & 0o7777, after, before.toString(8));
      assert.ok(fs.statSync(at('f'), { bigint: true }).ctimeNs >= ctimeNs);
    }
    fs.mkdirSync(at('d'));
    fs.chmodSync(at('d'), 0o6755);
    fs.chownSync(at('d'), BOB.uid, BOB.gid);
    assert.equal(told(at('d')), '46755:12002:12200');
  },

  'chown to nobody takes the set-id bits for the owner and root alone, and else is anybody’s'(directory) {
    const at = open(directory);
    make(at('f'), ALICE, 0o6755);
    const toNobody = 'chown(-1, -1, "f") or die "$!"';
    mayNot(BOB, directory, NOT_PERMITTED, 'perl', '-e', toNobody);
    assert.equal(told(at('f')), '106755:12001:12100');
    may(ALICE, directory, 'perl', '-e', toNobody);
    assert.equal(told(at('f')), '100755:12001:12100');
    may(BOB, directory, 'perl', '-e', toNobody);
    fs.chmodSync(at('f'), 0o6755);
    command(directory, 'perl', '-e', toNobody);
    assert.equal(told(at('f')), '100755:12001:12100');
  },

  'what a program makes is its own'(directory) {
    const at = open(directory, 0o777);
    may(ALICE, directory, 'sh', '-c', 'umask 027; touch f; mkdir d; ln -s x l; mkfifo p');
    assert.deepEqual(
      ['f', 'd', 'l', 'p'].map((name) => told(at(name))),
      ['100640:12001:12100', '40750:12001:12100', '120777:12001:12100', '10640:12001:12100'],
    );
    mayNot(ALICE, directory, NOT_PERMITTED, 'mknod', 'c', 'c', '1', '3');
  },

  'in a set-group-ID directory the group is the directory’s, and directories hand it on'(directory) {
    const at = open(directory);
    fs.mkdirSync(at('d'));
    fs.chownSync(at('d'), 0, BOB.gid);
    fs.chmodSync(at('d'), 0o2777);
    may(ALICE, at('d'), 'sh', '-c', 'touch f; mkdir s; ln -s x l; mkfifo p; touch s/f');
    assert.deepEqual(
      ['f', 's', 'l', 'p', 's/f'].map((name) => told(at(`d/${name}`))),
      [
        ...['100644:12001:12200', '42755:12001:12200', '120777:12001:12200', '10644:12001:12200'],
        '100644:12001:12200',
      ],
    );
    fs.chmodSync(at('d'), 0o777);
    may(ALICE, at('d'), 'touch', 'own');
    assert.equal(told(at('d/own')), '100644:12001:12100');
  },

  'who may not, may not'(directory) {
    const at = open(directory);
    make(at('secret'), ALICE, 0o600, 'secret');
    make(at('shared'), { ...ALICE, gid: BOB.gid }, 0o640, 'shared');
    make(at('none'), ALICE, 0o000, 'none');
    assert.equal(may(ALICE, directory, 'cat', 'secret'), 'secret');
    mayNot(BOB, directory, DENIED, 'cat', 'secret');
    assert.equal(may(BOB, directory, 'cat', 'shared'), 'shared');
    mayNot(BOB, directory, DENIED, 'sh', '-c', 'echo x >> shared');
    mayNot(ALICE, directory, DENIED, 'cat', 'none');
    assert.equal(read(at('none')), 'none', 'root may');
    mayNot(BOB, directory, DENIED, 'touch', 'new');
    mayNot(BOB, directory, DENIED, 'rm', '-f', 'secret');
    fs.mkdirSync(at('d'));
    fs.chownSync(at('d'), ALICE.uid, ALICE.gid);
    fs.chmodSync(at('d'), 0o711);
    make(at('d/f'), ALICE, 0o644, 'inside');
    mayNot(BOB, directory, DENIED, 'ls', 'd');
    assert.equal(may(BOB, directory, 'cat', 'd/f'), 'inside');
    fs.chmodSync(at('d'), 0o700);
    mayNot(BOB, directory, DENIED, 'cat', 'd/f');
    assert.equal(may(ALICE, directory, 'cat', 'd/f'), 'inside');
  },

  'mode, owner and times are changed by the owner only'(directory) {
    const at = open(directory);
    make(at('f'), ALICE, 0o666);
    mayNot(BOB, directory, NOT_PERMITTED, 'chmod', '600', 'f');
    mayNot(BOB, directory, NOT_PERMITTED, 'chown', String(BOB.uid), 'f');
    mayNot(BOB, directory, NOT_PERMITTED, 'chgrp', String(BOB.gid), 'f');
    mayNot(BOB, directory, NOT_PERMITTED, 'touch', '-d', '@5', 'f');
    may(BOB, directory, 'touch', 'f');
    mayNot(ALICE, directory, NOT_PERMITTED, 'chown', String(BOB.uid), 'f');
    mayNot(ALICE, directory, NOT_PERMITTED, 'chgrp', String(BOB.gid), 'f');
    may(ALICE, directory, 'chmod', '4711', 'f');
    may(ALICE, directory, 'chgrp', String(ALICE.gid), 'f');
    assert.equal(told(at('f')), '100711:12001:12100', 'to the own group, which takes the set-id bit');
    may(ALICE, directory, 'touch', '-d', '@5', 'f');
    assert.equal(fs.statSync(at('f')).mtimeMs, 5000);
  },

  'in a sticky directory names are removed by the owner only'(directory) {
    const at = open(directory);
    fs.mkdirSync(at('d'));
    fs.chmodSync(at('d'), 0o1777);
    make(at('d/f'), ALICE, 0o666);
    make(at('d/mine'), BOB, 0o666);
    mayNot(BOB, at('d'), NOT_PERMITTED, 'rm', 'f');
    mayNot(BOB, at('d'), NOT_PERMITTED, 'mv', 'f', 'g');
    mayNot(BOB, at('d'), NOT_PERMITTED, 'mv', 'mine', 'f');
    may(BOB, at('d'), 'mv', 'mine', 'moved');
    may(ALICE, at('d'), 'rm', 'f');
    fs.chownSync(at('d'), ALICE.uid, ALICE.gid);
    may(ALICE, at('d'), 'rm', '-f', 'moved');
    assert.deepEqual(fs.readdirSync(at('d')), []);
  },

  'who writes or cuts off takes set-id bits, and root does not'(directory) {
    const at = open(directory);
    for (const change of [
      'echo x >> f',
      ': > f',
      'truncate -s 9 f',
      'dd if=/dev/zero of=f bs=1 count=1 conv=notrunc status=none',
    ]) {
      make(at('f'), ALICE, 0o6777, 'data');
      command(directory, 'sh', '-c', change);
      assert.equal(told(at('f')), '106777:12001:12100', `root: ${change}`);
      may(BOB, directory, 'sh', '-c', change);
      assert.equal(told(at('f')), '100777:12001:12100', change);
    }
  },

  'who is not in the group takes set-group-ID also of what the group may not execute'(directory) {
    const at = open(directory);
    for (const change of [
      'echo x >> f',
      ': > f',
      'truncate -s 9 f',
      'fallocate -l 99 f',
      'fallocate -p -o 0 -l 4 f',
      'fallocate -z -o 0 -l 4 f',
    ]) {
      make(at('f'), ALICE, 0o6666, 'data');
      command(directory, 'sh', '-c', change);
      assert.equal(told(at('f')), '106666:12001:12100', `root: ${change}`);
      const alsoOf = ['setpriv', '--reuid=12002', '--regid=12200', `--groups=9,${ALICE.gid}`] as const;
      command(directory, ...alsoOf, 'sh', '-c', change);
      assert.equal(told(at('f')), '102666:12001:12100', `one of the group: ${change}`);
      may(BOB, directory, 'sh', '-c', change);
      assert.equal(told(at('f')), '100666:12001:12100', change);
    }
  },

  'a set-user-ID program runs as its owner'(directory) {
    const at = open(directory);
    fs.copyFileSync('/usr/bin/id', at('id'));
    fs.chownSync(at('id'), ALICE.uid, ALICE.gid);
    fs.chmodSync(at('id'), 0o6755);
    assert.equal(may(BOB, directory, './id', '-u'), '12001\n');
    assert.equal(may(BOB, directory, './id', '-g'), '12100\n');
    fs.chmodSync(at('id'), 0o755);
    assert.equal(may(BOB, directory, './id', '-u'), '12002\n');
  },

  'a device is one'(directory) {
    const at = open(directory);
    command(directory, 'mknod', '-m', '666', 'null', 'c', '1', '3');
    command(directory, 'mknod', '-m', '600', 'zero', 'c', '1', '5');
    fs.chownSync(at('zero'), ALICE.uid, ALICE.gid);
    may(BOB, directory, 'sh', '-c', 'echo lost > null');
    assert.equal(read(at('null')), '');
    assert.equal(may(ALICE, directory, 'head', '-c', '3', 'zero'), '\0\0\0');
    mayNot(BOB, directory, DENIED, 'head', '-c', '3', 'zero');
    command(directory, 'mv', 'zero', 'moved');
    command(directory, 'ln', 'moved', 'again');
    assert.equal(command(directory, 'stat', '-c', '%t %T %h', 'again'), '1 5 2\n');
    fails('EEXIST', () => fs.mkdirSync(at('null')));
  },

  'access(2) says what open(2) does'(directory) {
    const at = open(directory);
    make(at('f'), ALICE, 0o460);
    may(ALICE, directory, 'test', '-r', 'f');
    assert.equal(as(ALICE, directory, 'test', '-w', 'f').status, 1);
    may({ uid: BOB.uid, gid: ALICE.gid }, directory, 'test', '-w', 'f');
    assert.equal(as(BOB, directory, 'test', '-r', 'f').status, 1);
  },

  'extended attributes are the owner’s, and the server’s own are not there'(directory) {
    const at = open(directory);
    make(at('f'), ALICE, 0o4755);
    may(ALICE, directory, 'setfattr', '-n', 'user.a', '-v', '1', 'f');
    mayNot(BOB, directory, DENIED, 'setfattr', '-n', 'user.b', '-v', '1', 'f');
    assert.equal(command(directory, 'getfattr', '-m', '-', 'f'), '# file: f\nuser.a\n\n');
    assert.equal(told(at('f')), '104755:12001:12100');
  },

  'tar and cp give each file what it had'(directory) {
    const at = open(directory);
    fs.mkdirSync(at('from/sub'), { recursive: true });
    make(at('from/f'), ALICE, 0o6751, 'data');
    fs.symlinkSync('f', at('from/l'));
    fs.lchownSync(at('from/l'), BOB.uid, BOB.gid);
    command(directory, 'mknod', 'from/c', 'c', '250', '5');
    command(directory, 'mkfifo', 'from/p');
    for (const name of ['c', 'p', 'sub', '']) {
      fs.chownSync(at(`from/${name}`), BOB.uid, ALICE.gid);
      fs.chmodSync(at(`from/${name}`), 0o3750);
    }
    const list = (name: string): string =>
      command(at(name), 'find', '.', '-printf', '%P %M %U %G %l %s\n').split('\n').toSorted().join('\n');
    const devices = (name: string): string => command(at(name), 'stat', '-c', '%t %T', 'c');
    const sizeless = (text: string): string => text.replaceAll(/^(\S* d.*) \d+$/gm, '$1');
    command(directory, 'cp', '-a', 'from', 'copied');
    fs.mkdirSync(at('unpacked'));
    command(directory, 'sh', '-c', 'tar -C from -cf - . | tar -C unpacked -xpf -');
    for (const name of ['copied', 'unpacked']) {
      assert.equal(sizeless(list(name)), sizeless(list('from')), name);
      assert.equal(devices(name), devices('from'));
    }
  },
};
