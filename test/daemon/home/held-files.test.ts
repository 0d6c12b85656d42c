import { create, partsTest, refTo, release, unlink } from './home-parts.js';
import { idOf } from '../../../daemon/home/file-ids.js';
import { kindOf } from './fixture.js';

partsTest(
  'one file too many of a home is ENFILE, whoever has the others',
  { maxOpenFiles: 2 },
  async (t, parts) => {
    const [one, two] = [parts.client(), parts.client()];
    const second = one.changed(create(parts.home, 'b'));
    const [a, b, c] = [
      refTo(one.changed(create(parts.home, 'a'))),
      refTo(second),
      refTo(one.changed(create(parts.home, 'c'))),
    ];
    one.held.hold(parts.identities.file(a));
    two.held.hold(parts.identities.file(b));
    t.equal(await kindOf(() => two.held.hold(parts.identities.file(c))), 'ENFILE');
    t.equal(await kindOf(() => one.change(unlink(parts.home, 'c', { hold: true }))), 'ENFILE');
    t.equal(parts.identities.file(c).status.nlink, 1, 'it is there as before');
    two.held.hold(parts.identities.file(a));
    two.change(release(idOf(second)));
    two.held.hold(parts.identities.file(c));
  },
);
