/* The picture of a recording: lines whole, in order, as text, each after the one before it. */
import t from 'tap';
import { Recording } from '../../demo/recording.js';

t.test('lines as they were printed, at their times', async (t) => {
  let now = 0;
  const recording = new Recording(() => now);
  recording.add('# a \u001b[1mbold\u001b[0m word\n$ ec');
  now = 100;
  recording.add('ho "<&>"\n');
  now = 60_000;
  recording.add(`<&>\n\n${'x'.repeat(107)}\n`);
  recording.add('no end');
  const shown = [
    ...recording
      .svg()
      .matchAll(/<text class="(\w+)" x="\d+" y="[\d.]+" style="animation-delay:([\d.]+)s">(.*)<\/text>/g),
  ].map(([, kind, at, text]) => [kind, at, text]);
  t.same(shown, [
    ['said', '0.06', '# a bold word'],
    ['typed', '0.12', '$ echo "&lt;&amp;&gt;"'],
    ['printed', '1.32', '&lt;&amp;&gt;'],
    ['printed', '1.38', ''],
    ['printed', '1.44', 'x'.repeat(106)],
    ['printed', '1.50', 'x'],
    ['printed', '1.56', 'no end'],
  ]);
});
