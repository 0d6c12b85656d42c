import t from 'tap';
import { Bandwidth } from '../../../mount/data/bandwidth.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/** A line with its own clock: a request at a time takes the round trip, and its bytes' time. */
class Line {
  ms = 0;
  readonly bandwidth = new Bandwidth(() => this.ms);

  transfer(bytes: number, roundTripMs: number, bytesPerMs: number): void {
    const flight = this.bandwidth.sent(bytes, true);
    this.ms += roundTripMs + bytes / bytesPerMs;
    flight.arrived(bytes);
  }
}

t.test('the window follows the line, up and down', (t) => {
  const line = new Line();
  for (let i = 0; i < 20; i++) line.transfer(4 * KiB, 20, 100 * KiB);
  for (let i = 0; i < 20; i++) line.transfer(line.bandwidth.window, 20, 100 * KiB);
  t.ok(line.bandwidth.window > 2 * MiB, 'what is under way in a round trip, and more');
  t.ok(line.bandwidth.window < 6 * MiB);
  const fast = line.bandwidth.timeFor(10 * MiB);
  t.ok(fast > 110 && fast < 260, `${fast} ms`);
  for (let i = 0; i < 200; i++) line.transfer(256 * KiB, 20, 5 * KiB);
  t.ok(line.bandwidth.window < 512 * KiB, 'the line has become slower');
  t.ok(line.bandwidth.piece < 128 * KiB);
  t.end();
});

t.test('a program that reads little does not make the line look slow', (t) => {
  const line = new Line();
  line.transfer(4 * KiB, 20, 100 * KiB);
  for (let i = 0; i < 20; i++) line.transfer(line.bandwidth.window, 20, 100 * KiB);
  const before = line.bandwidth.window;
  for (let i = 0; i < 2000; i++) line.transfer(4 * KiB, 20, 100 * KiB);
  t.equal(line.bandwidth.window, before);
  t.end();
});

t.test('what waits behind other answers does not make the line look long', (t) => {
  const line = new Line();
  line.transfer(4 * KiB, 10, 10 * KiB);
  const { bandwidth } = line;
  // Always several requests under way, each behind the queue of the others: 10 KiB/ms, and half a second of queue.
  const queue = Array.from({ length: 20 }, () => bandwidth.sent(256 * KiB, false));
  for (let i = 0; i < 1000; i++) {
    line.ms += 25.6;
    queue.shift()?.arrived(256 * KiB);
    queue.push(bandwidth.sent(256 * KiB, false));
  }
  t.ok(bandwidth.window < MiB, `${bandwidth.window} bytes`);
  t.end();
});

t.test('only so much is under way that nobody waits for', (t) => {
  const line = new Line();
  const { bandwidth } = line;
  const { window } = bandwidth;
  t.ok(bandwidth.admits(64 * MiB), 'one request always');
  const flight = bandwidth.sent(window - 10, true);
  t.notOk(bandwidth.admits(11));
  t.ok(bandwidth.admits(10));
  const waited = bandwidth.sent(MiB, false);
  t.ok(bandwidth.admits(10), 'what is waited for does not count');
  flight.arrived(0);
  t.ok(bandwidth.admits(window));
  t.notOk(bandwidth.isFull(64 * MiB), 'as long as nobody knows what the line can take');
  waited.arrived(MiB);
  for (let i = 0; i < 20; i++) line.transfer(bandwidth.window, 20, 10 * KiB);
  t.ok(bandwidth.isKnown);
  bandwidth.sent(bandwidth.window - 10, false);
  t.notOk(bandwidth.isFull(10));
  t.ok(bandwidth.isFull(11), 'then all that is under way does');
  bandwidth.sent(1, true);
  t.notOk(bandwidth.admits(10));
  t.end();
});

t.test('what is bound by the round trip does not make the line look slow', (t) => {
  const line = new Line();
  const { bandwidth } = line;
  for (let i = 0; i < 50; i++) line.transfer(4 * KiB, 20, 100 * KiB);
  t.ok(bandwidth.timeFor(25 * MiB) <= 8 * 21, 'as many round trips as it takes the window to grow');
  line.transfer(128 * KiB, 20, 100 * KiB);
  t.ok(bandwidth.timeFor(25 * MiB) <= 8 * 21, 'nor does a larger piece that comes by itself');
  line.transfer(4 * MiB, 20, 100 * KiB);
  const known = bandwidth.timeFor(25 * MiB);
  t.ok(known > 256 && known < 2 * 256 + 40, `${known} ms, once it was busy for longer than the round trip`);
  t.end();
});

t.test('pieces are powers of two, and windows whole bytes', (t) => {
  const line = new Line();
  for (const rate of [1.7, 33.3, 777.7, 12_345.6, 2 ** 21 / 3]) {
    for (let i = 0; i < 30; i++) line.transfer(200_001, 3.3, rate);
    line.ms += 20_000;
    const { piece, window, worthOneRoundTrip } = line.bandwidth;
    t.ok(
      Number.isInteger(Math.log2(piece)) && Number.isInteger(window) && Number.isInteger(worthOneRoundTrip),
    );
    t.ok(piece >= 64 * KiB && piece <= MiB);
  }
  t.end();
});
