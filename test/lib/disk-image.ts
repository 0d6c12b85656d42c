/*
 * A disk of a server that loses its power: an ext4 image on a loop device, and its copy in its place.
 *
 * What a power cut leaves is what the file system has given to its device: what is only in memory is lost, and what was given
 * is there, synced or not. (A real disk may lose of that what was not flushed, too.) The programs that use the disk are to
 * be stopped before; its file system may still write by itself, so the copy is one during which nothing was written.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { temporaryDirectory } from './directory.js';
import { run, succeed } from './run.js';
import type { Scope } from './scope.js';

export class DiskImage {
  /** Where it is mounted. */
  readonly mountpoint: string;
  readonly #place: string;
  #cuts = 0;

  private constructor(place: string) {
    this.#place = place;
    this.mountpoint = path.join(place, 'disk');
  }

  /** Makes and mounts one, as root. It is gone with the scope. */
  static async mounted(scope: Scope, size = '96M'): Promise<DiskImage> {
    const disk = new DiskImage(temporaryDirectory(scope));
    mkdirSync(disk.mountpoint);
    await succeed('sh', ['-ec', 'truncate -s "$2" "$1" && mkfs.ext4 -q "$1"', 'sh', disk.#image, size]);
    await disk.#mount();
    scope.teardown(() => run('umount', ['-l', disk.mountpoint]));
    return disk;
  }

  /** `stop` the programs that use the disk, copy it, and end them; then the copy is there. */
  async cutPower(stop: () => void, end: () => Promise<void>): Promise<void> {
    const former = this.#image;
    stop();
    const device = await succeed('losetup', ['--noheadings', '--output', 'NAME', '--associated', former]);
    const written = (): string => writesOf(path.basename(device.trim()));
    this.#cuts += 1;
    for (let before: string | undefined; before !== written();) {
      before = written();
      await succeed('cp', ['--sparse=always', former, this.#image]);
    }
    await end();
    await succeed('umount', ['-l', this.mountpoint]);
    rmSync(former);
    await this.#mount();
  }

  get #image(): string {
    return path.join(this.#place, `image-${this.#cuts}`);
  }

  async #mount(): Promise<void> {
    await succeed('mount', ['-o', 'loop', this.#image, this.mountpoint]);
  }
}

/** Sectors written to a device, and writes under way: the fields of Documentation/block/stat.rst. */
function writesOf(device: string): string {
  const fields = readFileSync(`/sys/block/${device}/stat`, 'latin1').trim().split(/\s+/);
  return `${fields[6]} ${fields[8]}`;
}
