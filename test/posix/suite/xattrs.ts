/* Extended attributes of users. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { fd as openFd } from '../../../posix/fd.js';
import { getXattr, listXattrs, removeXattr, setXattr, type XattrPlace } from '../../../posix/xattrs.js';
import { XATTR_CREATE, XATTR_REPLACE } from '../../../protocol/xattrs.js';
import { command, fails, withFile, type Operation } from '../operation.js';

/** A file or directory by its name, open while `work` runs. */
function within(directory: string, name: string, work: (place: XattrPlace) => void): void {
  const fd = fs.openSync(directory, fs.constants.O_DIRECTORY);
  try {
    work({ directory: openFd(fd), name: Buffer.from(name) });
  } finally {
    fs.closeSync(fd);
  }
}

function set(place: XattrPlace, name: string, value: string | Buffer, flags = 0): void {
  setXattr(place, Buffer.from(name), Buffer.from(value), flags);
}

function get(place: XattrPlace, name: string): string | undefined {
  return getXattr(place, Buffer.from(name))?.toString();
}

function names(place: XattrPlace): string[] {
  return listXattrs(place).map(String).toSorted();
}

export const xattrs: Record<string, Operation> = {
  'are set, told and removed, of files and of directories'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    fs.mkdirSync(at(d, 'x'));
    for (const file of ['f', 'x']) {
      within(d, file, (place) => {
        assert.deepEqual(names(place), []);
        set(place, 'user.a', 'one');
        set(place, 'user.b', '');
        set(place, 'user.a', 'two');
        assert.deepEqual(names(place), ['user.a', 'user.b']);
        assert.equal(get(place, 'user.a'), 'two');
        assert.equal(get(place, 'user.b'), '');
        assert.equal(get(place, 'user.c'), undefined);
        removeXattr(place, Buffer.from('user.a'));
        assert.deepEqual(names(place), ['user.b']);
        fails('ENODATA', () => removeXattr(place, Buffer.from('user.a')));
      });
    }
  },
  'of a removed directory that is open'(d) {
    for (const name of ['x', 'y']) {
      fs.mkdirSync(at(d, name));
      withFile(at(d, name), 'r', (fd) => {
        const place = { fd: openFd(fd) };
        if (name === 'y') set(place, 'user.a', 'before');
        fs.rmdirSync(at(d, name));
        if (name === 'x') assert.deepEqual(names(place), []);
        set(place, 'user.a', 'one');
        assert.equal(get(place, 'user.a'), 'one');
        set(place, 'user.b', 'two', XATTR_CREATE);
        assert.deepEqual(names(place), ['user.a', 'user.b']);
        removeXattr(place, Buffer.from('user.a'));
        assert.equal(get(place, 'user.a'), undefined);
        fails('ENODATA', () => removeXattr(place, Buffer.from('user.a')));
      });
    }
  },
  'are made, or replaced, only'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    within(d, 'f', (place) => {
      fails('ENODATA', () => set(place, 'user.a', '1', XATTR_REPLACE));
      set(place, 'user.a', '2', XATTR_CREATE);
      fails('EEXIST', () => set(place, 'user.a', '3', XATTR_CREATE));
      fails('EEXIST', () => set(place, 'user.a', '3', XATTR_CREATE | XATTR_REPLACE));
      fails('ENODATA', () => set(place, 'user.b', '3', XATTR_CREATE | XATTR_REPLACE));
      set(place, 'user.a', '4', XATTR_REPLACE);
      assert.equal(get(place, 'user.a'), '4');
    });
  },
  'stay with the file, whatever its names are'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    within(d, 'f', (place) => set(place, 'user.a', 'one'));
    fs.linkSync(at(d, 'f'), at(d, 'g'));
    fs.renameSync(at(d, 'f'), at(d, 'h'));
    for (const name of ['g', 'h']) within(d, name, (place) => assert.equal(get(place, 'user.a'), 'one'));
    withFile(at(d, 'g'), 'r', (fd) => {
      fs.unlinkSync(at(d, 'g'));
      fs.unlinkSync(at(d, 'h'));
      assert.equal(get({ fd: openFd(fd) }, 'user.a'), 'one');
      set({ fd: openFd(fd) }, 'user.b', 'without a name');
      assert.deepEqual(names({ fd: openFd(fd) }), ['user.a', 'user.b']);
    });
    fs.writeFileSync(at(d, 'g'), '');
    within(d, 'g', (place) => assert.deepEqual(names(place), []));
  },
  'have any bytes, and names of 255'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    const name = Buffer.concat([Buffer.from('user.'), Buffer.alloc(250, 0xff)]);
    within(d, 'f', (place) => {
      setXattr(place, name, Buffer.from([0, 0xff, 0, 0x80]), 0);
      assert.deepEqual(getXattr(place, name), Buffer.from([0, 0xff, 0, 0x80]));
      assert.deepEqual(listXattrs(place), [name]);
      fails('ERANGE', () => setXattr(place, Buffer.concat([name, name]), name, 0));
    });
  },
  'have a few KiB'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    within(d, 'f', (place) => {
      set(place, 'user.large', Buffer.alloc(3000, 'x'));
      set(place, 'user.small', 'y');
      assert.equal(get(place, 'user.large'), 'x'.repeat(3000));
      set(place, 'user.large', 'less');
      assert.equal(get(place, 'user.large'), 'less');
      fails('E2BIG', () => set(place, 'user.b', Buffer.alloc(65_537)));
    });
  },
  'move ctime and nothing else'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    fs.utimesSync(at(d, 'f'), 1, 1);
    const before = fs.statSync(at(d, 'f'), { bigint: true });
    command(d, 'sleep', '0.02');
    within(d, 'f', (place) => set(place, 'user.a', 'one'));
    const after = fs.statSync(at(d, 'f'), { bigint: true });
    assert.ok(after.ctimeNs > before.ctimeNs);
    assert.equal(after.mtimeNs, before.mtimeNs);
    command(d, 'sleep', '0.02');
    within(d, 'f', (place) => removeXattr(place, Buffer.from('user.a')));
    assert.ok(fs.statSync(at(d, 'f'), { bigint: true }).ctimeNs > after.ctimeNs);
  },
  'are not of symlinks and FIFOs'(d) {
    fs.symlinkSync('f', at(d, 'l'));
    command(d, 'mkfifo', 'p');
    for (const name of ['l', 'p']) {
      within(d, name, (place) => {
        fails('EPERM', () => set(place, 'user.a', '1'));
        fails('EPERM', () => removeXattr(place, Buffer.from('user.a')));
        assert.equal(get(place, 'user.a'), undefined);
        assert.deepEqual(names(place), []);
      });
    }
  },
  'of no kind'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    within(d, 'f', (place) => {
      for (const name of ['a', 'users.a']) fails('EOPNOTSUPP', () => set(place, name, '1'));
      fails('EINVAL', () => set(place, 'user.', '1'));
    });
  },
  'of many files are theirs'(d) {
    for (let i = 0; i < 300; i++) {
      fs.writeFileSync(at(d, `f${i}`), '');
      if (i % 3 === 0) within(d, `f${i}`, (place) => set(place, 'user.number', String(i)));
    }
    command(d, 'sync', '.');
    for (let i = 0; i < 300; i++) {
      within(d, `f${i}`, (place) =>
        assert.equal(get(place, 'user.number'), i % 3 === 0 ? String(i) : undefined),
      );
    }
  },
};
