import t from 'tap';
import { RoomStep } from '../../../mount/lease/room-step.js';

t.test('steps double while the server gives all that is asked for', async (t) => {
  const step = new RoomStep(100, 400);
  t.equal(step.toAsk(0, 0), 100);
  step.given(100, 100);
  t.equal(step.toAsk(100, 0), 0, 'there is enough');
  t.equal(step.toAsk(49, 0), 200, 'less than a quarter');
  step.given(200, 200);
  step.given(400, 400);
  t.equal(step.toAsk(0, 0), 400, 'the last step');
  t.equal(step.toAsk(0, 1_000), 1_000, 'what is needed at least');
  t.equal(step.toAsk(-50, 10), 450, 'and what is overdrawn');
});

t.test('where the server had less, only what is needed is asked for', async (t) => {
  const step = new RoomStep(100, 400);
  step.given(100, 30);
  t.equal(step.toAsk(0, 0), 0);
  t.equal(step.toAsk(0, 5), 5);
  step.given(5, 5);
  t.equal(step.toAsk(0, 0), 100, 'there is more again');
  step.shrink();
  t.equal(step.toAsk(0, 0), 0);
  step.given(0, 0);
  t.equal(step.toAsk(0, 0), 0, 'what was not asked for is not missing');
});
