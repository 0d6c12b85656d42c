/**
 * Which parts of a file of a home are holes, for who gets it: they are not sent. Asked for page by page, and only of a file that
 * takes less room on the server's disk than its size.
 */
import type { Run } from '../../posix/file-runs.js';
import type { Attributes } from '../../protocol/attributes.js';
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import type { RemoteHandle } from '../../protocol/ids.js';

const BLOCK_BYTES = 512;

/** Of a file that is got from `offset` on; undefined: it has none, as far as its attributes tell. */
export async function runsFrom(
  client: Client,
  handle: RemoteHandle,
  { size, blocks }: Attributes,
  offset: number,
): Promise<RemoteRuns | undefined> {
  if (offset >= size || blocks * BLOCK_BYTES >= size) return undefined;
  const runs = new RemoteRuns(client, handle);
  await runs.at(offset);
  return runs;
}

class RemoteRuns {
  readonly #client: Client;
  readonly #handle: RemoteHandle;
  /** Ends of holes and of data, in turns, up to `#until`. */
  #ends: readonly number[] = [];
  #until = 0;

  constructor(client: Client, handle: RemoteHandle) {
    this.#client = client;
    this.#handle = handle;
  }

  /** PROTOCOL: the server does not go on. */
  async at(position: number): Promise<Run> {
    if (position >= this.#until) {
      [this.#until, this.#ends] = await this.#client.call('downloadRuns', [this.#handle, position]);
      if (this.#until <= position) throw new Failure('PROTOCOL', 'the server tells no end of a hole');
    }
    const index = this.#ends.findIndex((end) => end > position);
    if (index === -1) return { end: this.#until, isHole: true };
    return { end: this.#ends[index] ?? this.#until, isHole: index % 2 === 0 };
  }
}
