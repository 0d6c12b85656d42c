/*
 * fsync(2) asks the server, unless nothing can have changed since it was asked last.
 */
import t from 'tap';
import type { Attributes } from '../../../protocol/attributes.js';
import { Failure } from '../../../protocol/failure.js';
import { LEASE_NONE, WHOLE_HOME } from '../../../protocol/methods.js';
import { ROOT_NODE } from '../../../protocol/ids.js';
import type { Scope } from '../../lib/scope.js';
import { failureOf } from '../remote/failure-of.js';
import { until } from '../remote/processes.js';
import { attributesOf, DIRECTORY } from '../tree/planted.js';
import { CALLER, ScriptedHome } from './scripted-home.js';

const O_RDWR = 2;
const FILE = attributesOf(40, 0o100644);
const OTHER = attributesOf(41, 0o100644);
const SUB = attributesOf(42, DIRECTORY);
const NAMES: Record<string, Attributes> = { file: FILE, other: OTHER, sub: SUB };

class Home {
  readonly home: ScriptedHome;
  #syncs = 0;

  private constructor(home: ScriptedHome) {
    this.home = home;
    home.answers.sync = ([number]) => {
      this.#syncs += 1;
      return number;
    };
  }

  static async open(scope: Scope, whole = true): Promise<Home> {
    const home = await ScriptedHome.open(scope, {
      lookup: ([, name]) => [NAMES[String(name)], null],
      hold: () => FILE,
    });
    await home.own(NAMES, whole);
    return new Home(home);
  }

  /** How often the server was asked to sync for an fsync of a file, and of its directory. */
  async fsync(): Promise<readonly [number, number]> {
    const { filesystem } = this.home;
    const node = await this.home.node('file');
    const { handle } = await filesystem.open(node, O_RDWR, CALLER);
    this.#syncs = 0;
    await filesystem.fsync(node, handle, false, CALLER);
    const asked = this.#syncs;
    const askedOfDirectory = await this.fsyncdir();
    await filesystem.release(node, handle);
    return [asked, askedOfDirectory];
  }

  /** How often it was asked for one of the directory alone. */
  async fsyncdir(): Promise<number> {
    const { filesystem } = this.home;
    this.#syncs = 0;
    const { handle } = await filesystem.opendir(ROOT_NODE, CALLER);
    await filesystem.fsyncdir(ROOT_NODE, handle, CALLER);
    await filesystem.releasedir(ROOT_NODE, handle);
    return this.#syncs;
  }
}

t.test('the server is asked once, until something is changed', async (t) => {
  const tried = await Home.open(t);
  t.same(await tried.fsync(), [1, 0], 'what others wrote before may not be on the disk');
  t.same(await tried.fsync(), [1, 0], 'a file is synced each time, its directory not');
  const node = await tried.home.node('other');
  const { handle } = await tried.home.filesystem.open(node, O_RDWR, CALLER);
  await tried.home.filesystem.write(node, handle, 0, Buffer.from('words'), false, CALLER);
  t.same(await tried.fsync(), [1, 0]);
});

t.test('the server is asked where others may have changed the file', async (t) => {
  const tried = await Home.open(t);
  t.same(await tried.fsync(), [1, 0]);
  const { connection } = tried.home.server;
  connection.notifications.recall?.([[WHOLE_HOME, LEASE_NONE]]);
  await until(() => connection.requests.some((each) => each.startsWith('returned')));
  await tried.home.own(NAMES);
  t.same(await tried.fsync(), [1, 0], 'it was not leased all the time');
  t.same(await tried.fsync(), [1, 0], 'a file is synced each time, its directory not');
});

t.test('the server is asked after a change that was awaited', async (t) => {
  const tried = await Home.open(t, false);
  t.same(await tried.fsync(), [1, 0]);
  t.same(await tried.fsync(), [1, 0], 'a file is synced each time, its directory not');
  tried.home.answers.change = () => [SUB];
  const sub = await tried.home.node('sub');
  await tried.home.filesystem.setattr(sub, undefined, { mode: 0o700 }, CALLER);
  t.same(await tried.fsync(), [1, 0]);
});

t.test('the server is asked again after a sync that failed', async (t) => {
  const tried = await Home.open(t);
  tried.home.answers.sync = () => {
    throw new Failure('EIO', 'the disk is broken');
  };
  t.equal(await failureOf(() => tried.fsync()), 'EIO');
  t.equal(await failureOf(() => tried.fsync()), 'EIO');
});

t.test('a directory is synced by itself where something may have changed, and only there', async (t) => {
  const tried = await Home.open(t);
  const { home } = tried;
  t.equal(await tried.fsyncdir(), 1, 'what others wrote before');
  t.equal(await tried.fsyncdir(), 0);

  const file = await home.node('file');
  const { handle } = await home.filesystem.open(file, O_RDWR, CALLER);
  await home.filesystem.write(file, handle, 0, Buffer.from('words'), false, CALLER);
  t.equal(await tried.fsyncdir(), 1, 'what was written here');

  const { connection } = home.server;
  connection.notifications.recall?.([[WHOLE_HOME, LEASE_NONE]]);
  await until(() => connection.requests.some((each) => each.startsWith('returned')));
  t.equal(await tried.fsyncdir(), 1, 'it is not leased');
  await home.own(NAMES);
  t.equal(await tried.fsyncdir(), 1, 'nor was it all the time');
  t.equal(await tried.fsyncdir(), 0);
});

t.test('so it is after an awaited change, and after a sync that failed', async (t) => {
  const tried = await Home.open(t, false);
  const { home } = tried;
  t.equal(await tried.fsyncdir(), 1);
  t.equal(await tried.fsyncdir(), 0);
  home.answers.change = () => [SUB];
  await home.filesystem.setattr(await home.node('sub'), undefined, { mode: 0o700 }, CALLER);
  const answer = home.answers.sync;
  home.answers.sync = () => {
    throw new Failure('EIO', 'the disk is broken');
  };
  t.equal(await failureOf(() => tried.fsyncdir()), 'EIO');
  if (answer !== undefined) home.answers.sync = answer;
  t.equal(await tried.fsyncdir(), 1);
});
