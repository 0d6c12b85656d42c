/* A user has one pace on a worker, whatever homes the sessions are of. */
import t from 'tap';
import { Line, makeLine, type Pace } from '../../../daemon/worker/pace.js';
import { Paces } from '../../../daemon/worker/paces.js';
import { userName } from '../../../protocol/ids.js';

t.test('one for each user, as long as one of the sessions lives', async (t) => {
  const paces = new Paces(new Line(makeLine(1), 0));
  const [alice, lily] = [userName('alice'), userName('lily')];
  const seen: Pace[] = [];
  const note = async (pace: Pace): Promise<void> => void seen.push(pace);
  await paces.use(alice, 0, async (pace) => {
    seen.push(pace);
    await paces.use(alice, 0, note);
    await paces.use(lily, 0, note);
    t.notOk(pace.isLimited);
    paces.set(alice, 1024);
    t.ok(pace.isLimited, 'a limit counts for sessions that are there');
  });
  await paces.use(alice, 0, note);
  const [first, same, ofLily, later] = seen;
  t.ok(first === same && first !== ofLily && first !== later);
});
