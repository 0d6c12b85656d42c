/*
 * What tests of sessions share: a home over real connections, and operations by paths.
 */
import t, { type Test } from 'tap';
import { CREATE, MKDIR, RENAME, WRITE, type Operation } from '../../protocol/operations.js';
import type { UserHome } from '../../daemon/home/user-home.js';
import { place, ref } from '../lib/path-client.js';
import { Place } from './home/fixture.js';

export function sessionTest(
  name: string,
  body: (t: Test, home: UserHome, disk: Place) => Promise<void>,
): void {
  void t.test(name, async (t) => {
    const disk = new Place(t);
    const home = await disk.open();
    await body(t, home, disk);
    const { ledger, tree } = await home.check(false);
    t.strictSame(ledger, tree, 'the charge is what the tree holds');
  });
}

export function mkdir(path: string): Operation {
  return { kind: MKDIR, ...place(path), time: null, mode: 0o755, id: null };
}

export function create(path: string): Operation {
  return { kind: CREATE, ...place(path), time: null, mode: 0o100644, id: null };
}

/** A write whose data are apart. */
export function write(path: string, offset: number): Operation {
  return { kind: WRITE, file: ref(path), offset, data: null, time: null };
}

export function rename(from: string, to: string): Operation {
  const { directory: newDirectory, name: newName } = place(to);
  return {
    ...{ kind: RENAME, ...place(from), time: null, id: null, newDirectory, newName },
    ...{ replaced: null, flags: 0, hold: false },
  };
}

/** Keeps a home as if it were being counted, until the returned function is called. */
export function counting(home: UserHome): () => void {
  const gate: { open?: () => void } = {};
  const opened = new Promise<void>((resolve) => {
    gate.open = resolve;
  });
  let counts = true;
  Object.defineProperty(home, 'counting', { get: () => counts, configurable: true });
  const former = home.whenChangeable.bind(home);
  home.whenChangeable = () => opened;
  return () => {
    counts = false;
    home.whenChangeable = former;
    gate.open?.();
  };
}
