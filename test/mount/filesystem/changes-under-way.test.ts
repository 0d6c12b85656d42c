import t from 'tap';
import { WHOLE_HOME } from '../../../protocol/methods.js';
import { ChangesUnderWay } from '../../../mount/filesystem/changes-under-way.js';

function among(...units: bigint[]): (unit: bigint) => boolean {
  return (unit) => units.includes(unit);
}

const NEVER = new Promise<void>(() => undefined);

t.test('a recall waits for the kernel while no change of the unit is under way', async (t) => {
  const changes = new ChangesUnderWay();
  let acted: () => void = () => undefined;
  let waited = false;
  const waiting = changes
    .any(
      among(7n),
      new Promise<void>((resolve) => {
        acted = resolve;
      }),
    )
    .then(() => (waited = true));
  changes.begin([8n])();
  await Promise.resolve();
  t.notOk(waited, 'a change of another unit does not count');
  acted();
  await waiting;
});

t.test('it does not wait while one is, nor for one that begins meanwhile', async () => {
  const changes = new ChangesUnderWay();
  const ended = changes.begin([7n, 7n]);
  await changes.any(among(6n, 7n), NEVER);
  ended();
  const waiting = changes.any(among(6n, 7n), NEVER);
  const begun = changes.begin([7n]);
  await waiting;
  await changes.any(among(WHOLE_HOME), NEVER);
  begun();
});
