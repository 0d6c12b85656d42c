/*
 * Calls of a client that is logged in, of values that are nearly right and of files that there are: each is answered by a result or
 * by an error that is no fault of the daemon's; afterwards the daemon serves others, and has charged what the home holds.
 */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { LEASE_WRITE } from '../../protocol/methods.js';
import { randomFrom, seedOfRun, type Random } from '../lib/random.js';
import type { Attacker } from '../lib/attacker.js';
import { Target } from '../lib/target.js';
import { mutateValue, oneOf } from './mutation.js';
import { METHOD_NAMES, METHOD_SAMPLES, OPERATIONS } from './samples.js';

/** Of a session: then it logs out, and another one begins. */
const ROUND = 64;
const CASES = Number(process.env['CASES'] ?? 2000);
/** Kilobytes that the daemon may have grown by. */
const BOUND = 160 * 1024;

/** Those that do not end the session. */
const METHODS = METHOD_NAMES.filter((name) => name !== 'logout');

const PATHS = ['', 'd', 'd/name', 'd/other', 'd/link', 'd/e', 'd/e/deep', 'absent'];

/** Puts paths of the home, and ids of its files, where the samples have theirs. */
function placed(random: Random, value: unknown, ids: readonly unknown[]): unknown {
  if (Array.isArray(value)) {
    if (value.length > 1 && value[0] === 4711 && ids.length > 0) return oneOf(random, ids);
    return value.map((part: unknown) => placed(random, part, ids));
  }
  if (Buffer.isBuffer(value) && value.toString() === 'd/name') return Buffer.from(oneOf(random, PATHS));
  return value;
}

function callOf(random: Random, ids: readonly unknown[]): [method: string, params: unknown] {
  const isChange = random(2) === 0;
  const method = isChange ? oneOf(random, ['change', 'apply']) : oneOf(random, METHODS);
  let params: unknown = METHOD_SAMPLES[method as keyof typeof METHOD_SAMPLES].params;
  // Numbers of changes count up.
  if (method === 'change') params = [1 + random(200), oneOf(random, OPERATIONS), null];
  if (method === 'apply')
    params = [1 + random(3), [oneOf(random, OPERATIONS), oneOf(random, OPERATIONS)], null];
  const right = placed(random, params, ids);
  return [method, random(3) === 0 ? right : mutateValue(random, right)];
}

/** The ids of what is in the home. */
async function idsOf(attacker: Attacker): Promise<unknown[]> {
  const told = await Promise.all(PATHS.map((path) => attacker.call('getattr', [path])));
  return told.flatMap(({ kind, result }) => (kind === 'ok' ? [(result as unknown[]).slice(0, 2)] : []));
}

/** Sends a round of calls at once. Returns the kinds of the answers; none where the connection was closed. */
async function round(attacker: Attacker, random: Random): Promise<string[]> {
  const ids = await idsOf(attacker);
  const requests = Array.from({ length: ROUND }, () => {
    const [method, params] = callOf(random, ids);
    return attacker.answer(attacker.request(method, params)).catch(() => undefined);
  });
  const answers = await Promise.all(requests);
  return answers.flatMap((answer) => (answer === undefined ? [] : [answer.kind]));
}

const target = await Target.start(t, { quotaBytes: 2 ** 24, args: ['--lease-term', '5'] });

await t.test('calls that are nearly right', { timeout: 2 * 3600 * 1000 }, async (t) => {
  const seed = seedOfRun();
  const kinds = new Map<string, number>();
  for (let i = 0; i < CASES / ROUND; i++) {
    const random = randomFrom(seed + i);
    const leaseWanted = random(2) === 0 ? LEASE_WRITE : 0;
    const attacker = await target.mallory({ clientId: randomBytes(16), leaseWanted });
    for (const kind of await round(attacker, random)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    await attacker.logOut().catch(() => undefined);
    if (kinds.has('EIO')) break;
  }
  t.notOk(
    kinds.has('EIO'),
    `seed ${seed}: ${target.log.split('\n').find((line) => line.includes('failed')) ?? ''}`,
  );
  t.ok((kinds.get('ok') ?? 0) > CASES / 20, `${[...kinds].join(' ')}`);
  await target.unharmed(t, 'calls', BOUND);
  const checked = await target.daemon.ftpctl(['quota', 'check', 'mallory']);
  t.match(checked, { code: 0 }, checked.stdout + checked.stderr);
});
