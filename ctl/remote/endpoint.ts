/** Where and as whom a command logs in, by its arguments and the client's configuration. */
import { hostAddress } from '../../protocol/transport/addresses.js';
import { readClientConfig } from '../../client/config.js';
import { clientFiles } from '../../client/files.js';
import { resolveEndpoint, type Endpoint, type Target } from '../../client/target.js';
import type { ShareName } from '../../protocol/ids.js';
import type { RemoteArguments } from './place.js';
import type { SessionOptions } from './session-options.js';
import { onlyShare, rootOf } from './shared-path.js';

/** Where and as whom to log in, and to which home. */
export interface HomeEndpoint extends Endpoint {
  /** What may be a share; undefined: the user's own home. */
  readonly share: ShareName | undefined;
}

/** Throws USAGE. */
export function endpointOf(target: Target, { port }: SessionOptions): Endpoint {
  return resolveEndpoint(target, readClientConfig(clientFiles().config).hosts, port);
}

/** USER@HOST:PORT */
export function accountOf({ user, host, port }: Endpoint): string {
  return `${user}@${hostAddress(host, port)}`;
}

/** Of places that are all in one home. Throws USAGE, EXDEV. */
export function homeOf({ target, places }: RemoteArguments, options: SessionOptions): HomeEndpoint {
  return { ...endpointOf(target, options), share: onlyShare(places.map(({ path }) => path)) };
}

/** A home, as it is shown: USER@HOST:PORT, and behind it the place of a share. */
export function homeText({ account, share }: { account: string; share: ShareName | undefined }): string {
  return share === undefined ? account : `${account}/${rootOf(share)}`;
}
