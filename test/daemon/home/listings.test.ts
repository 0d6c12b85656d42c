/*
 * Pages of long listings: looked at in several turns, and told as what is there when they are told.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Call } from '../../../daemon/home/calls/call.js';
import { Turns } from '../../../daemon/home/calls/turns.js';
import { Unfinished } from '../../../daemon/home/calls/unfinished.js';
import { Listings } from '../../../daemon/home/listings.js';
import { MAX_PAGE_ENTRIES } from '../../../protocol/limits.js';
import { METHODS, type Result } from '../../../protocol/methods.js';
import { ref } from '../../lib/path-client.js';
import { Place, TestClient } from './fixture.js';

type Page = Result<'listNext'>;
type Cursor = Parameters<Listings['next']>[1];

const FILES = Array.from({ length: 2 * MAX_PAGE_ENTRIES + 100 }, (_, i) => `file-${i}`);

/** A home with a long directory, and its listing by a client whose turns are over at once. */
class Scene {
  /** How often a page was put off to the next turn. */
  turns = 0;
  readonly other: TestClient;
  readonly #client: TestClient;
  readonly #listings: Listings;
  readonly #cursor: Cursor;

  static async make(t: Test): Promise<Scene> {
    const place = new Place(t);
    mkdirSync(join(place.directory, 'd'));
    for (const name of FILES) writeFileSync(join(place.directory, 'd', name), '');
    return new Scene(place, await place.open());
  }

  private constructor(
    readonly place: Place,
    readonly home: Awaited<ReturnType<Place['open']>>,
  ) {
    const { identities, telling, leases, watch, durability } = home;
    this.#listings = new Listings({
      ...{ identities, telling, leases, watch, turns: new Turns(0), sliceMs: Infinity },
      changes: () => durability.changes,
    });
    this.#client = new TestClient(home);
    this.other = new TestClient(home);
    const [listing] = this.#listings.list(this.#client.client, ref('d'), 0, new Call());
    this.#cursor = listing?.[2] as Cursor;
  }

  /** The next page. `meanwhile`: what is done between two turns, with how many there were. */
  async next(meanwhile: (turns: number) => unknown = () => undefined): Promise<Page> {
    const call = new Call();
    for (let turns = 1; ; turns++) {
      try {
        return METHODS.listNext.result(
          this.#listings.next(this.#client.client, this.#cursor, null, call),
        ) as Page;
      } catch (error) {
        if (!(error instanceof Unfinished)) throw error;
        this.turns += 1;
        await meanwhile(turns);
        await error.until;
      }
    }
  }

  async rest(): Promise<Page[0]> {
    const entries: Page[0] = [];
    for (;;) {
      const [more, cursor] = await this.next();
      entries.push(...more);
      if (cursor === null) return entries;
    }
  }
}

function namesOf(entries: Page[0]): string[] {
  return entries.map(([name]) => name.toString()).toSorted();
}

t.test('a page takes several turns, and is as large as if it took one', async (t) => {
  const scene = await Scene.make(t);
  const [entries, cursor, positions] = await scene.next();
  t.ok(entries.length > 0.9 * MAX_PAGE_ENTRIES, `${entries.length} entries`);
  t.ok(scene.turns > 100, `${scene.turns} turns`);
  t.not(cursor, null);
  t.equal(positions?.length, 8 * entries.length);
  t.strictSame(namesOf([...entries, ...(await scene.rest())]), FILES.toSorted());
});

t.test('what is changed while a page is looked at is told as it is then', async (t) => {
  const scene = await Scene.make(t);
  const [entries] = await scene.next(async (turns) => {
    if (turns !== 200) return;
    for (const name of FILES.slice(0, 1000)) await scene.other.paths.unlink(`d/${name}`);
    for (const name of FILES.slice(1000)) await scene.other.paths.setattr(`d/${name}`, { mode: 0o600 });
  });
  const all = [...entries, ...(await scene.rest())];
  t.strictSame(namesOf(all), FILES.slice(1000).toSorted());
  t.strictSame([...new Set(all.map(([, { mode }]) => mode & 0o777))], [0o600]);
});

t.test('pages that are asked for at once are each told once', async (t) => {
  const scene = await Scene.make(t);
  const pages = await Promise.all([scene.next(), scene.next()]);
  t.strictSame(
    namesOf([...pages.flatMap(([entries]) => entries), ...(await scene.rest())]),
    FILES.toSorted(),
  );
});
