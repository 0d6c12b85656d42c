/* Names: any bytes, any length the system allows, and what happens to missing ones. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { fails, read, type Operation } from '../operation.js';

export const names: Record<string, Operation> = {
  'names of any bytes'(d) {
    const odd = [
      'with space',
      ' leading',
      'new\nline',
      'tab\t',
      '"quotes\'',
      'back\\slash',
      '*?[a]',
      '-rf',
      '...',
      'ünïcödé',
      '日本語',
      '😀',
    ].map((name) => Buffer.from(name));
    odd.push(Buffer.from([0xff, 0xfe, 0x80]), Buffer.from([0x61, 0xc3]), Buffer.from([1, 2, 3, 0x7f]));
    const file = (name: Buffer): Buffer => Buffer.concat([Buffer.from(`${d}/`), name]);
    for (const [index, name] of odd.entries()) fs.writeFileSync(file(name), String(index));
    const listed = fs.readdirSync(d, { encoding: 'buffer' }).map((name) => name.toString('hex'));
    assert.deepEqual(listed.toSorted(), odd.map((name) => name.toString('hex')).toSorted());
    for (const [index, name] of odd.entries()) assert.equal(read(file(name)), String(index));
    for (const name of odd) fs.unlinkSync(file(name));
    assert.deepEqual(fs.readdirSync(d), []);
  },
  'names that differ in case only'(d) {
    fs.writeFileSync(at(d, 'name'), 'lower');
    fs.writeFileSync(at(d, 'NAME'), 'upper');
    assert.equal(read(at(d, 'name')), 'lower');
  },
  'the longest name and one more'(d) {
    const longest = 'n'.repeat(255);
    fs.writeFileSync(at(d, longest), 'x');
    assert.deepEqual(fs.readdirSync(d), [longest]);
    fails('ENAMETOOLONG', () => fs.writeFileSync(at(d, `${longest}n`), 'x'));
  },
  'a file is no directory'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    fails('ENOTDIR', () => fs.statSync(at(d, 'f/x')));
    fails('ENOTDIR', () => fs.readdirSync(at(d, 'f')));
    fails('ENOENT', () => fs.statSync(at(d, 'not-there')));
    fails('EISDIR', () => fs.openSync(d, 'w'));
  },
  'a name that was missing appears'(d) {
    assert.ok(!fs.existsSync(at(d, 'f')));
    fs.writeFileSync(at(d, 'f'), '');
    assert.ok(fs.existsSync(at(d, 'f')));
    fs.unlinkSync(at(d, 'f'));
    assert.ok(!fs.existsSync(at(d, 'f')));
  },
};
