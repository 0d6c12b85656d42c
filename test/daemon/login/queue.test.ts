/* First in, first out, and everybody knows the place. */
import t from 'tap';
import { Queue } from '../../../daemon/login/queue.js';

class Member {
  place = 0;
  told = 0;
  onPlace(place: number): void {
    this.place = place;
    this.told += 1;
  }
}

function queueOf(count: number): { queue: Queue<Member>; members: Member[] } {
  const queue = new Queue<Member>();
  const members = Array.from({ length: count }, () => new Member());
  for (const member of members) queue.enter(member);
  return { queue, members };
}

const places = (members: readonly Member[]): number[] => members.map(({ place }) => place);

t.test('places count from 1, in order of entering', async (t) => {
  const { queue, members } = queueOf(4);
  t.same(places(members), [1, 2, 3, 4]);
  t.equal(queue.length, 4);
});

t.test('the first leaves, the others move up and are told', async (t) => {
  const { queue, members } = queueOf(3);
  t.equal(queue.next(), members[0]);
  t.same(places(members.slice(1)), [1, 2]);
  t.equal(queue.next(), members[1]);
  t.equal(queue.next(), members[2]);
  t.equal(queue.next(), undefined);
});

t.test('who gives up frees the place for those behind, and only they are told', async (t) => {
  const { queue, members } = queueOf(4);
  const [first, second, third, fourth] = members as [Member, Member, Member, Member];
  t.equal(queue.leave(second), true);
  t.same(places([first, third, fourth]), [1, 2, 3]);
  t.same([first.told, third.told, fourth.told], [1, 2, 2]);
  t.equal(queue.leave(second), false);
  t.equal(queue.length, 3);
});
