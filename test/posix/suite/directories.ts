/* Making, listing and removing directories. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { O_TMPFILE } from '../../../posix/flags.js';
import { command, fails, withFile, type Operation } from '../operation.js';

/** Makes files, more than one getdents(2) of the C library tells. */
function manyLongNames(d: string): string[] {
  const names = Array.from({ length: 900 }, (_, i) => `name-${i}-`.padEnd(250, 'x'));
  for (const name of names) fs.writeFileSync(at(d, name), '');
  return names;
}

export const directories: Record<string, Operation> = {
  'mkdir and rmdir'(d) {
    fs.mkdirSync(at(d, 'x'));
    assert.ok(fs.statSync(at(d, 'x')).isDirectory());
    fs.rmdirSync(at(d, 'x'));
    fails('ENOENT', () => fs.statSync(at(d, 'x')));
  },
  'mkdir of what is there'(d) {
    fs.mkdirSync(at(d, 'x'));
    fails('EEXIST', () => fs.mkdirSync(at(d, 'x')));
    fs.writeFileSync(at(d, 'f'), '');
    fails('EEXIST', () => fs.mkdirSync(at(d, 'f')));
  },
  'mkdir in what is not there, or no directory'(d) {
    fails('ENOENT', () => fs.mkdirSync(at(d, 'a/b')));
    fs.writeFileSync(at(d, 'f'), '');
    fails('ENOTDIR', () => fs.mkdirSync(at(d, 'f/b')));
  },
  'rmdir of a directory that is not empty'(d) {
    fs.mkdirSync(at(d, 'x'));
    fs.writeFileSync(at(d, 'x/f'), '');
    fails('ENOTEMPTY', () => fs.rmdirSync(at(d, 'x')));
  },
  'rmdir of a file, unlink of a directory'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    fails('ENOTDIR', () => fs.rmdirSync(at(d, 'f')));
    fs.mkdirSync(at(d, 'x'));
    fails('EISDIR', () => fs.unlinkSync(at(d, 'x')));
  },
  'a listing has every name once, with its type'(d) {
    for (let i = 0; i < 700; i++) fs.writeFileSync(at(d, `file-${i}`), '');
    fs.mkdirSync(at(d, 'dir'));
    fs.symlinkSync('dir', at(d, 'link'));
    const entries = fs.readdirSync(d, { withFileTypes: true });
    const names = entries.map(({ name }) => name);
    assert.equal(entries.length, 702);
    assert.equal(new Set(names).size, 702);
    assert.ok(entries.find(({ name }) => name === 'dir')?.isDirectory());
    assert.ok(entries.find(({ name }) => name === 'link')?.isSymbolicLink());
    assert.ok(entries.find(({ name }) => name === 'file-0')?.isFile());
  },
  'a listing follows what happens'(d) {
    assert.deepEqual(fs.readdirSync(d), []);
    fs.writeFileSync(at(d, 'a'), '');
    fs.writeFileSync(at(d, 'b'), '');
    assert.deepEqual(fs.readdirSync(d).toSorted(), ['a', 'b']);
    fs.renameSync(at(d, 'a'), at(d, 'c'));
    assert.deepEqual(fs.readdirSync(d).toSorted(), ['b', 'c']);
    fs.unlinkSync(at(d, 'b'));
    assert.deepEqual(fs.readdirSync(d), ['c']);
  },
  'everything of a directory removed while it is read'(d) {
    for (let i = 0; i < 500; i++) fs.writeFileSync(at(d, `file-${i}`), '');
    const directory = fs.opendirSync(d, { bufferSize: 8 });
    for (let entry = directory.readSync(); entry; entry = directory.readSync())
      fs.unlinkSync(at(d, entry.name));
    directory.closeSync();
    assert.deepEqual(fs.readdirSync(d), []);
  },
  'names that stay are told once while others come and go'(d) {
    const names = manyLongNames(d);
    const list = (): string[] => fs.readdirSync(d);
    list();
    list();
    const directory = fs.opendirSync(d, { bufferSize: 1 });
    const told: string[] = [];
    const tell = (most: number): void => {
      for (let entry; told.length < most && (entry = directory.readSync());) told.push(entry.name);
    };
    tell(50);
    for (const name of told.slice(0, 40)) fs.unlinkSync(at(d, name));
    for (let i = 0; i < 60; i++) fs.writeFileSync(at(d, `other-${i}`), '');
    list();
    tell(Infinity);
    directory.closeSync();
    assert.deepEqual(told.filter((name) => name.startsWith('name')).toSorted(), names.toSorted());
  },
  'seekdir goes back to where telldir was, whatever came and went'(d) {
    manyLongNames(d);
    for (let i = 0; i < 2; i++) fs.readdirSync(d);
    const program = `
      opendir D, "."; readdir D for 1..30; my @first = map { scalar readdir D } 1..30; my $place = telldir D;
      my @before = readdir D; unlink @first; unlink @before[0..99]; open F, ">other-$_" for 1..90;
      opendir E, "."; readdir E; closedir E;
      seekdir D, $place; my @after = grep { !/^other/ } readdir D; splice @before, 0, 100;
      print "@after" eq "@before" ? "same" : @before . " and " . @after`;
    assert.equal(command(d, 'perl', '-e', program), 'same');
  },
  'a way down that is longer than a path can be'(d) {
    const program = `
      for (1..100) { mkdir "n" x 200 or die "mkdir: $!"; chdir "n" x 200 or die "chdir: $!" }
      mkdir "a" or die $!; open F, ">a/f" or die $!; print F "deep"; close F; rename "a/f", "g" or die $!; rmdir "a" or die $!;
      open F, "g" or die $!; print <F>; opendir D, "." or die $!; print " $_" for sort readdir D; print " ", -s "g"`;
    assert.equal(command(d, 'perl', '-e', program), 'deep . .. g 4');
    command(d, 'rm', '-r', 'n'.repeat(200));
  },
  'a removed directory that is open has no link'(d) {
    fs.mkdirSync(at(d, 'x'));
    withFile(at(d, 'x'), 'r', (fd) => {
      fs.rmdirSync(at(d, 'x'));
      assert.equal(fs.fstatSync(fd).nlink, 0);
    });
  },
  'a removed directory that is open is changed like another one'(d) {
    fs.mkdirSync(at(d, 'x'));
    withFile(at(d, 'x'), 'r', (fd) => {
      fs.rmdirSync(at(d, 'x'));
      fs.fchmodSync(fd, 0o711);
      assert.equal(fs.fstatSync(fd).mode & 0o7777, 0o711);
      fs.futimesSync(fd, 1000, 2000);
      assert.equal(fs.fstatSync(fd).mtimeMs, 2_000_000);
      fs.fsyncSync(fd);
      fs.fchmodSync(fd, 0o700);
      assert.equal(fs.fstatSync(fd).mode & 0o7777, 0o700);
    });
  },
  'a file without a name in a removed directory'(d) {
    fs.mkdirSync(at(d, 'x'));
    withFile(at(d, 'x'), 'r', (fd) => {
      fs.rmdirSync(at(d, 'x'));
      try {
        fs.closeSync(fs.openSync(`/proc/self/fd/${fd}`, O_TMPFILE | fs.constants.O_RDWR));
      } catch (error) {
        // Disks do not agree, and some make it.
        const { code } = error as NodeJS.ErrnoException;
        assert.ok(code === 'ENOENT' || code === 'EPERM', code);
      }
    });
  },
  'link counts of directories'(d) {
    // Two and one for each subdirectory, or constantly one (btrfs, overlayfs with some bases).
    const count = (): number => fs.statSync(d).nlink;
    const before = count();
    fs.mkdirSync(at(d, 'x'));
    assert.ok(count() === before + 1 || (before === 1 && count() === 1));
  },
  'the current directory and its parent'(d) {
    fs.mkdirSync(at(d, 'a/b'), { recursive: true });
    assert.equal(command(at(d, 'a/b'), 'sh', '-c', 'cd ../.. && pwd -P').trim(), fs.realpathSync(d));
    assert.equal(fs.statSync(at(d, 'a/b') + '/..').ino, fs.statSync(at(d, 'a')).ino);
  },
  'a directory removed below a process'(d) {
    command(d, 'sh', '-c', 'mkdir gone && cd gone && rmdir ../gone && ! touch file 2>/dev/null');
  },
  'rm -rf of a deep tree'(d) {
    fs.mkdirSync(at(d, ...Array.from({ length: 40 }, (_, i) => `level-${i}`)), { recursive: true });
    command(d, 'rm', '-rf', 'level-0');
    assert.deepEqual(fs.readdirSync(d), []);
  },
};
