/*
 * Loading a shared library for somebody else: the dynamic linker takes a library that is loaded already for every
 * later one that needs its soname (ld.so(8)), so that a native addon finds what is in no directory of the system.
 */
import koffi from 'koffi';

const loaded: unknown[] = [];

/** Loads the library in the file, for the rest of the process. Throws an Error where it cannot be loaded. */
export function loadSharedLibrary(file: string): void {
  loaded.push(koffi.load(file));
}
