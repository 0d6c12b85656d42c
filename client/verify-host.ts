/**
 * Decides whether a server's static key is the right one, before anything secret is sent to it: the pinned key of
 * known_hosts, or trust on first use after a person compared the fingerprint (`--accept-new` for scripts).
 *
 * A key that differs from the pinned one is refused always: no option and no answer accepts it.
 */
import { hostAddress } from '../protocol/transport/addresses.js';
import { Failure } from '../protocol/failure.js';
import { fingerprint } from '../protocol/transport/keys.js';
import { appendHost, lookupHost } from './known-hosts.js';
import type { Terminal } from './terminal.js';

export interface HostVerification {
  /** Path of known_hosts. */
  readonly knownHosts: string;
  readonly host: string;
  readonly port: number;
  /** Pin an unknown server without asking. */
  readonly acceptNew: boolean;
  /** Undefined where nobody can be asked. */
  readonly terminal: () => Terminal | undefined;
}

/** Returns when the key is good: 'new' where it was pinned just now. Throws HOSTKEY where it is not. */
export async function verifyHost(
  verification: HostVerification,
  publicKey: Uint8Array,
): Promise<'known' | 'new'> {
  const { knownHosts, host, port, acceptNew } = verification;
  const found = lookupHost(knownHosts, host, port, publicKey);
  if (found.status === 'match') return 'known';
  const address = hostAddress(host, port);
  if (found.status === 'changed') {
    const lines = found.entries.map((entry) => entry.line).join(', ');
    throw new Failure(
      'HOSTKEY',
      `THE KEY OF ${address} HAS CHANGED, someone may be listening in: it is now ${fingerprint(publicKey)}, ` +
        `not the one pinned in ${knownHosts} line ${lines}: ask the server's administrator, and if it is right, ` +
        `ftpctl known-hosts forget ${address}, and connect again`,
    );
  }
  if (!acceptNew) await askPerson(verification, address, publicKey);
  appendHost(knownHosts, host, port, publicKey);
  return 'new';
}

async function askPerson(
  verification: HostVerification,
  address: string,
  publicKey: Uint8Array,
): Promise<void> {
  const terminal = verification.terminal();
  if (terminal === undefined) {
    throw new Failure(
      'HOSTKEY',
      `the key of ${address} is not known (${fingerprint(publicKey)}) and there is no terminal to ask on: ` +
        `compare it and use --accept-new`,
    );
  }
  let question =
    `The server ${address} is not known yet. The fingerprint of its key is\n  ${fingerprint(publicKey)}\n` +
    `Is that right, and shall it be remembered (yes/no)? `;
  for (;;) {
    const answer = (await terminal.ask(question)).trim().toLowerCase();
    if (answer === 'yes') return;
    if (answer === 'no') throw new Failure('HOSTKEY', `the key of ${address} was not accepted`);
    question = "Please type 'yes' or 'no': ";
  }
}
