/* Networks: one spelling each, whoever wrote them how, and which addresses are in them. */
import t from 'tap';
import { networkOf, NetworkSet } from '../../state/networks.js';

t.test('one spelling', async (t) => {
  for (const [text, network] of [
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7/32', '192.0.2.7'],
    ['192.0.2.77/24', '192.0.2.0/24'],
    ['203.0.113.255/25', '203.0.113.128/25'],
    ['255.255.255.255/1', '128.0.0.0/1'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '192.0.2.7'],
    ['0:0:0:0:0:ffff:192.0.2.7/120', '192.0.2.0/24'],
    ['::1', '::/64'],
    ['2001:DB8::7', '2001:db8::/64'],
    ['2001:db8:0:0:1:2:3:4/128', '2001:db8::1:2:3:4/128'],
    ['2001:db8:ffff::/33', '2001:db8:8000::/33'],
    ['fe80::1%eth0', 'fe80::/64'],
  ] as const) {
    t.equal(networkOf(text), network, text);
    t.equal(networkOf(network), network, 'and it is its own');
  }
  for (const wrong of [
    '',
    'alice',
    '192.0.2',
    '192.0.2.7/0',
    '192.0.2.7/33',
    '::/129',
    '192.0.2.0/24/7',
    '::1/x',
    '::ffff:0:0/96',
  ])
    t.throws(() => networkOf(wrong), { name: 'Failure', kind: 'USAGE' }, wrong);
});

t.test('what is in them', async (t) => {
  const set = new NetworkSet(['192.0.2.0/24', '203.0.113.7', '2001:db8::/33']);
  for (const inside of [
    '192.0.2.255',
    '::ffff:192.0.2.1',
    '203.0.113.7',
    '2001:db8:7fff::1',
    '2001:db8::1%eth0',
  ])
    t.ok(set.has(inside), inside);
  for (const outside of ['192.0.3.0', '203.0.113.8', '2001:db8:8000::1', '::1'])
    t.notOk(set.has(outside), outside);
  const wide = new NetworkSet(['::/64', '::/1']);
  t.ok(wide.has('::1'));
  t.notOk(wide.has('192.0.2.1'), 'no IPv4 address is in an IPv6 network');
});
