/* Bars while the window is being dragged: on a terminal and by a clock that the test has in its hands. */
import { mock } from 'node:test';
import t from 'tap';
import { Bars } from '../../../ctl/output/bars.js';

const LARGE = 64 * 1024 * 1024;

t.test('nothing is drawn while the window goes on changing', async (t) => {
  const { stderr } = process;
  const written: string[] = [];
  mock.timers.enable({ apis: ['setTimeout'] });
  const isTTY = Object.getOwnPropertyDescriptor(stderr, 'isTTY');
  const write = t.capture(stderr, 'write', (text: string | Uint8Array) => {
    written.push(String(text));
    return true;
  });
  Object.defineProperty(stderr, 'isTTY', { value: true, configurable: true });
  t.teardown(() => {
    mock.timers.reset();
    if (isTTY === undefined) delete (stderr as { isTTY?: boolean }).isTTY;
    else Object.defineProperty(stderr, 'isTTY', isTTY);
  });
  const bars = new Bars();
  bars.file('film').started(LARGE, 0);
  const isDrawn = (): boolean => written.splice(0).join('').includes('film');
  mock.timers.tick(100);
  t.ok(isDrawn());
  for (const columns of [70, 60, 45]) {
    stderr.columns = columns;
    stderr.emit('resize');
    mock.timers.tick(250);
    t.notOk(isDrawn(), `at ${columns} columns`);
  }
  mock.timers.tick(50);
  t.ok(isDrawn(), 'when it stays as it is');
  mock.timers.tick(100);
  t.ok(isDrawn(), 'and goes on');
  bars.close();
  write.restore();
});
