/*
 * The power of the server is cut at random moments, while accounts, homes and uploads change: what was answered is there, with
 * its name, and what the ledger calls clean is what the disk holds.
 *
 * ROUNDS=100 in the environment runs it for as long, SEED=n repeats a run.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { userName } from '../../protocol/ids.js';
import { formatPublicKey } from '../../protocol/transport/keys.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import { openState, type State } from '../../state/store.js';
import { logIn } from '../lib/accounts.js';
import { countHome } from '../lib/count-home.js';
import { passwordOf, type Daemon } from '../lib/daemon.js';
import { startDaemonOnDisk } from '../lib/daemon-on-disk.js';
import { temporaryDirectory } from '../lib/directory.js';
import { PathClient } from '../lib/path-client.js';
import { randomFrom, seedOfRun } from '../lib/random.js';
import { PATIENCE_MS } from '../lib/service.js';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
/** For how long things change: at least, and about as long again at most (milliseconds). */
const LEAST_MS = 500;
const BUSY_MS = 1500;
const MiB = 1024 * 1024;
const ALICE = userName('alice');
const seed = seedOfRun();
const random = randomFrom(seed);

/** What was answered, and so has to be there. */
interface Answered {
  /** Of the home: the content of a file, null for a directory, undefined for what was removed. */
  readonly names: Map<string, Buffer | null | undefined>;
  /** Of the state: the limit of files of an account, undefined for what was removed. */
  readonly limits: Map<string, number | undefined>;
  readonly keys: Set<string>;
}

/** Something that changes the server again and again until its power is cut. */
type Work = (daemon: Daemon, answered: Answered, round: number, isOn: () => boolean) => Promise<void>;

/** Files, directories and renames, each followed by what fsync(2) asks for on a mount. */
const synced: Work = async (daemon, { names }, round, isOn) => {
  const client = await logIn(t, { port: daemon.port, user: ALICE, password: passwordOf(ALICE) });
  const paths = new PathClient(client);
  const sync = () => client.call('sync', [0]);
  for (let n = 0; isOn(); n++) {
    const at = `r${round}-${n}`;
    const content = randomBytes(random(20_000));
    await paths.mkdir(at);
    await paths.put(`${at}/written`, content);
    await paths.put(`${at}/gone`, 'x');
    await sync();
    names.set(at, null).set(`${at}/written`, content);
    if (random(2) === 0) continue;
    // Until it is answered as durable it is neither there nor not there.
    names.delete(`${at}/written`);
    await paths.rename(`${at}/written`, `${at}/renamed`);
    await paths.unlink(`${at}/gone`);
    await sync();
    names.set(`${at}/renamed`, content).set(`${at}/written`, undefined).set(`${at}/gone`, undefined);
  }
  await client.call('logout', []);
};

/** Uploads of trees: small files, whose data go together, and a large one. */
const uploads: Work = async (daemon, { names }, round, isOn) => {
  const local = temporaryDirectory(t);
  for (let n = 0; isOn(); n++) {
    const top = `u${round}-${n}`;
    const files = new Map<string, Buffer>();
    for (let small = 0; small < 20; small++) files.set(`${top}/d/small-${small}`, randomBytes(random(3000)));
    files.set(`${top}/large`, randomBytes(MiB + random(2 * MiB)));
    fs.mkdirSync(join(local, top, 'd'), { recursive: true });
    for (const [name, content] of files) fs.writeFileSync(join(local, name), content);
    const args = ['put', '-r', '-q', ...daemon.login(ALICE), join(local, top), daemon.at(ALICE)];
    if ((await daemon.ftpctl(args)).code !== 0) return;
    for (const [name, content] of files) names.set(name, content);
  }
};

/** Account changes of all kinds. */
const accounts: Work = async (daemon, { limits, keys }, round, isOn) => {
  for (let n = 0; isOn(); n++) {
    const user = `u${round}-${n}`;
    const maxFiles = 1_000_000 + random(1_000_000);
    const key = formatPublicKey(generateKeyPair().publicKey, `${user}-key`);
    const changes: [string[], () => unknown][] = [
      [['useradd', user, '--quota', '1G', '--max-files', '7', '--no-password'], () => limits.set(user, 7)],
      [['usermod', ALICE, '--max-files', String(maxFiles)], () => limits.set(ALICE, maxFiles)],
      [['key', 'add', ALICE, key], () => keys.add(`${user}-key`)],
      [['userdel', user], () => limits.set(user, undefined)],
      [['key', 'remove', ALICE, `${user}-key`], () => keys.delete(`${user}-key`)],
    ];
    for (const [args, made] of changes) {
      if (!isOn()) return;
      // As above.
      if (args[0] === 'usermod') limits.delete(ALICE);
      if (args[0] === 'userdel') limits.delete(user);
      if (args[1] === 'remove') keys.delete(`${user}-key`);
      if ((await daemon.ftpctl(args)).code === 0) made();
    }
  }
};

/** Removes what the home holds and leaves it at rest, with a clean ledger. */
async function emptied(t: Test, daemon: Daemon, { names }: Answered): Promise<void> {
  const args = ['rm', '-r', ...daemon.login(ALICE)];
  const tops = fs.readdirSync(daemon.home(ALICE)).filter((name) => name !== '.ftpmount');
  if (tops.length > 0) {
    const removed = await daemon.ftpctl([...args, ...tops.map((top) => daemon.at(ALICE, top))]);
    t.equal(removed.code, 0, removed.stderr);
  }
  for (const name of names.keys()) names.set(name, undefined);
  await withState(daemon, async (state) => {
    for (const end = Date.now() + PATIENCE_MS; state.ledger.read(ALICE)?.clean !== true;) {
      if (Date.now() > end) throw new Error('the home does not come to rest');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
}

async function withState<T>(daemon: Daemon, use: (state: State) => Promise<T>): Promise<T> {
  const state = openState(daemon.state, { readOnly: true });
  try {
    return await use(state);
  } finally {
    await state.close();
  }
}

/** What is on the disk, before a daemon looks at it. */
async function verify(t: Test, daemon: Daemon, answered: Answered): Promise<void> {
  const wrong: string[] = [];
  for (const [name, content] of answered.names) {
    const path = join(daemon.home(ALICE), name);
    const found = fs.statSync(path, { throwIfNoEntry: false });
    const isRight =
      content === undefined
        ? found === undefined
        : content === null
          ? found?.isDirectory() === true
          : found !== undefined && Buffer.compare(fs.readFileSync(path), content) === 0;
    if (!isRight) wrong.push(name);
  }
  t.same(wrong, [], `${answered.names.size} names`);
  await withState(daemon, async (state) => {
    for (const [user, maxFiles] of answered.limits)
      t.equal(state.accounts.get(userName(user))?.maxFiles, maxFiles, user);
    const comments = new Set(state.accounts.get(ALICE)?.keys.map(({ comment }) => comment));
    t.same(
      [...answered.keys].filter((key) => !comments.has(key)),
      [],
      'keys',
    );
    const entry = state.ledger.read(ALICE);
    if (entry?.clean !== true) return;
    const { bytes, files } = entry;
    t.strictSame({ bytes, files }, countHome(daemon.home(ALICE)), 'clean is what is there');
  });
}

if (process.geteuid?.() !== 0) t.plan(0, 'only root can mount a disk image');
else {
  t.setTimeout(ROUNDS * 60_000);
  t.test(`what was answered is there, seed ${seed}`, async (t) => {
    const { daemon, cutPower } = await startDaemonOnDisk(t, { alice: { quota: '1G' } });
    let answered: Answered = { names: new Map(), limits: new Map(), keys: new Set() };
    for (let round = 0; round < ROUNDS; round++) {
      const during = answered;
      let on = true;
      const works = Promise.allSettled(
        [synced, uploads, accounts].map((work) => work(daemon, during, round, () => on)),
      );
      const atRest = round % 3 === 2;
      await new Promise((resolve) => setTimeout(resolve, LEAST_MS + random(BUSY_MS)));
      if (atRest) {
        on = false;
        await works;
        await emptied(t, daemon, answered);
      }
      await cutPower({
        stopped: () => {
          on = false;
          // What is answered later, by ftpctl, may be lost.
          answered = structuredClone(during);
        },
        ended: () => works,
      });
      await verify(t, daemon, answered);
      // As who mends a file system does: after a power cut nothing is believed that was counted before.
      if (atRest) fs.writeFileSync(join(daemon.home(ALICE), 'found'), 'x');
      await daemon.start();
      t.match(await daemon.ftpctl(['quota', 'check', ALICE]), { code: 0, stdout: /right$/m });
    }
  });
}
