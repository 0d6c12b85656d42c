/* Failures as tests expect them. */
import type { FailureKind } from '../../protocol/failure.js';

/** What t.throws and t.rejects match a Failure of this kind by. */
export function failing(kind: FailureKind): { name: string; kind: FailureKind } {
  return { name: 'Failure', kind };
}
