/** Where and as whom a command logs in, by its arguments and the client's configuration. */
import { hostAddress } from '../../protocol/addresses.js';
import { readClientConfig } from '../../protocol/login/client-config.js';
import { clientFiles } from '../../protocol/login/client-files.js';
import { resolveEndpoint, type Endpoint, type Target } from '../../protocol/login/target.js';
import type { SessionOptions } from './session-options.js';

/** Throws USAGE. */
export function endpointOf(target: Target, { port }: SessionOptions): Endpoint {
  return resolveEndpoint(target, readClientConfig(clientFiles().config).hosts, port);
}

/** USER@HOST:PORT */
export function accountOf({ user, host, port }: Endpoint): string {
  return `${user}@${hostAddress(host, port)}`;
}
