/*
 * What the changes of a file that is in the trash, and open, are charged to.
 *
 * Invariant: what such a file grows or shrinks by, the trash does (Quota.trashed), so that removing the file from there, or restoring
 * it, takes off what it has by then. It is taken off before it is released, and added after it was reserved: what is in the trash
 * is never more than the use. The file itself makes no room while it is open; who removes it from the trash makes it one like any other.
 */
import type { HeldFiles } from '../files/held-files.js';
import type { Account, Quota } from '../quota/quota.js';

export class TrashAccount implements Account {
  readonly #account: Account;
  readonly #ino: bigint;
  readonly #parts: { readonly held: Pick<HeldFiles, 'isTrashed' | 'openInTrash'>; readonly quota: Quota };

  /** `account`: what else is charged; `ino`: of the file. */
  constructor(
    account: Account,
    ino: bigint,
    parts: { readonly held: Pick<HeldFiles, 'isTrashed' | 'openInTrash'>; readonly quota: Quota },
  ) {
    this.#account = account;
    this.#ino = ino;
    this.#parts = parts;
  }

  prepare(): void {
    this.#account.prepare();
  }

  hasRoom(bytes: number, files: number): boolean {
    return this.#account.hasRoom(bytes, files);
  }

  fitting(bytes: number): number {
    return this.#account.fitting(bytes);
  }

  requireRoom(bytes: number, files: number): void {
    this.#account.requireRoom(bytes, files);
  }

  reserve(bytes: number, files: number): void {
    this.#parts.quota.asOne(() => {
      this.#account.reserve(bytes, files);
      this.#moveToTrash(bytes, files);
    });
  }

  release(bytes: number, files: number): void {
    this.#parts.quota.asOne(() => {
      this.#moveToTrash(-bytes, -files);
      this.#account.release(bytes, files);
    });
  }

  #moveToTrash(bytes: number, files: number): void {
    const { held, quota } = this.#parts;
    if (!held.isTrashed(this.#ino)) return;
    held.openInTrash.grow(this.#ino, bytes);
    quota.moveToTrash(bytes, files);
  }
}
