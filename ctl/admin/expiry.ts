/** How a command tells when an account expires. */
import { isExpired, type Account } from '../../state/accounts.js';
import { formatTime } from '../../state/times.js';

/** Nothing of one that does not. */
export function expiryOf({ expiresAt }: Pick<Account, 'expiresAt'>): string {
  if (expiresAt === null) return '';
  return `, ${isExpired({ expiresAt }) ? 'expired' : 'expires'} ${formatTime(expiresAt)}`;
}
