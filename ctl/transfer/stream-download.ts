/**
 * Gets a file to who takes it in order, and cannot give it back: what was taken is not sent again when the connection was
 * lost, as long as the file on the server is the same.
 */
import { Md5 } from '../../posix/libcrypto.js';
import type { RemotePath } from '../../protocol/ids.js';
import { throughLinks } from '../remote/directory.js';
import { changedMeanwhile, identityOf, receive, requireDigest } from './download.js';
import type { Checkpoint } from './journal.js';
import { moveRange } from './pipeline.js';
import { runsFrom } from './remote-runs.js';
import type { TransferContext, Transferred, TransferObserver } from './transfer.js';

export class StreamDownload {
  readonly #source: RemotePath;
  readonly #take: (bytes: Buffer) => Promise<void>;
  /** Which file it is, when that is known. */
  #identity: string | undefined;
  /** Bytes that were taken. */
  #taken = 0;
  #checkpoint: Checkpoint | undefined;

  /** `take` resolves when it may be given the next bytes, and has no use for the former. */
  constructor(source: RemotePath, take: (bytes: Buffer) => Promise<void>) {
    this.#source = source;
    this.#take = take;
  }

  /** Begins, or goes on over another connection. ESTALE, EBADMSG: what was taken is not the file. */
  async run(context: TransferContext, observer: TransferObserver): Promise<Transferred> {
    const { client, blocks, signal } = context;
    const [handle, attributes] = await throughLinks(client, this.#source, 'followed', (there) =>
      client.call('download', [there]),
    );
    try {
      const { size } = attributes;
      this.#identity ??= identityOf(attributes);
      if (this.#identity !== identityOf(attributes)) throw changedMeanwhile();
      const { offset: start, md5: state } = this.#checkpoint ?? { offset: 0, md5: undefined };
      const md5 = state === undefined ? new Md5() : Md5.load(state);
      observer.started(size, start);
      await moveRange({
        ...{ start, end: size, blocks, signal, md5 },
        fill: (block, position) => receive(context, handle, block, position),
        runs: await runsFrom(client, handle, attributes, start),
        drain: (block, position) => this.#give(block, position),
        progress: (bytes) => observer.advanced(bytes),
        checkpoint: (offset, after) => {
          this.#checkpoint = { offset, md5: after };
        },
      });
      const digest = md5.digest();
      await requireDigest(context, handle, digest);
      return { bytes: size, md5: digest, resumedAt: start };
    } finally {
      await client.call('close', [handle]).catch(() => undefined);
    }
  }

  async #give(block: Buffer, position: number): Promise<void> {
    if (position < this.#taken) return;
    this.#taken = position + block.length;
    await this.#take(block);
  }
}
