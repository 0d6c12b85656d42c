/**
 * `ftpctl known-hosts [list|forget HOST]`: the servers whose keys this client remembers. HOST is a name, an address, either with
 * :PORT, or an alias; without a port it is the servers on all ports.
 */
import { hostAddress } from '../protocol/transport/addresses.js';
import { Failure } from '../protocol/failure.js';
import { fingerprint } from '../protocol/transport/keys.js';
import { forgetHosts, readKnownHosts } from '../client/known-hosts.js';
import { readClientConfig } from '../client/config.js';
import { clientFiles } from '../client/files.js';
import { DEFAULT_PORT } from '../protocol/limits.js';
import { writeOut } from './output/stdout.js';
import { formatTable } from './output/table.js';

/** Returns the exit code. */
export async function knownHosts(): Promise<number> {
  const rows = readKnownHosts(clientFiles().knownHosts).map((host) => [
    host.address,
    fingerprint(host.publicKey),
  ]);
  for (const line of formatTable(rows, ['left', 'left'])) await writeOut(`${line}\n`);
  return 0;
}

/** Returns the exit code. Throws ENOENT where none is known by that name. */
export async function knownHostsForget(host: string): Promise<number> {
  const files = clientFiles();
  const alias = readClientConfig(files.config).hosts.get(host);
  const isMeant =
    alias === undefined
      ? isNamed(host)
      : isNamed(hostAddress(alias.host ?? host, alias.port ?? DEFAULT_PORT));
  const gone = forgetHosts(files.knownHosts, isMeant);
  if (gone.length === 0) throw new Failure('ENOENT', `no key of '${host}' is known`);
  for (const { address, publicKey } of gone)
    await writeOut(`forgot the key of ${address}, ${fingerprint(publicKey)}\n`);
  return 0;
}

/** Whether an address is that of a host, with its port or without. */
function isNamed(host: string): (address: string) => boolean {
  const name = host.toLowerCase();
  const names = [name, `[${name}]`];
  return (address) => address === name || names.includes(address.replace(/:\d+$/, ''));
}
