/*
 * An operation that cannot be carried out within a turn: work of its own, or on the same file, is under way on another thread.
 */
import { Failure } from '../../../protocol/failure.js';

/** Nothing of the file has changed. It is to be carried out again after that. */
export class Unfinished extends Failure {
  /** Never rejects. */
  readonly until: Promise<void>;

  constructor(until: Promise<void>) {
    super('EAGAIN', 'the file is being worked on');
    this.until = until;
  }
}
