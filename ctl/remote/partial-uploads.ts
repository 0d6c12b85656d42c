/**
 * The partial uploads of a home, page by page. What the server lists is not trusted: ids that do not grow would never end.
 */
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';

export interface PartialUpload {
  /** What the server calls it. */
  readonly id: Buffer;
  /** Where the file will appear; undefined: a daemon that was killed had not recorded it. */
  readonly path: RemotePath | undefined;
  /** Of the whole file, in bytes; undefined: not known, as of a stream. */
  readonly size: number | undefined;
  /** Bytes that are there. */
  readonly received: number;
  /** Seconds since the last of them came. */
  readonly age: number;
  /** Seconds until the server removes it. */
  readonly left: number;
  /** Whether a client that is connected has it open. */
  readonly isUnderWay: boolean;
}

export async function* partialUploads(client: Client): AsyncGenerator<PartialUpload> {
  let last: Buffer | null = null;
  for (;;) {
    const page: readonly PartialUpload[] = (await client.call('uploads', [last])).map(
      ([id, path, size, received, age, left, isUnderWay]) => ({
        ...{ id, path: path ?? undefined, size: size ?? undefined, received, age, left, isUnderWay },
      }),
    );
    if (page.length === 0) return;
    for (const upload of page) {
      if (last !== null && Buffer.compare(upload.id, last) <= 0)
        throw new Failure('PROTOCOL', 'the server lists partial uploads in no order');
      last = upload.id;
      yield upload;
    }
  }
}
