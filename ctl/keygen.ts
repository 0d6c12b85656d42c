/**
 * `ftpctl keygen`: makes the client's static key and prints its public part, which the server's administrator adds to a user
 * (`ftpctl key add`); then login needs no password.
 */
import { hostname } from 'node:os';
import { Failure } from '../protocol/failure.js';
import { fingerprint, formatPublicKey, readKeyFile, writeKeyFile } from '../protocol/transport/keys.js';
import { clientFiles } from '../client/files.js';
import { localUserName } from '../client/local-user.js';
import { generateKeyPair } from '../protocol/transport/x25519.js';
import { writeOut } from './output/stdout.js';

export interface KeygenOptions {
  readonly comment?: string;
  /** Only show the key that is there. */
  readonly show?: boolean;
}

/** Returns the exit code. */
export async function keygen(options: KeygenOptions): Promise<number> {
  const { key: path } = clientFiles();
  if (options.show !== true) {
    const user = localUserName() ?? `uid ${process.getuid?.() ?? 0}`;
    makeKey(path, options.comment ?? `${user}@${hostname()}`);
  }
  const { publicKey, comment } = readKeyFile(path);
  process.stderr.write(`The key is in ${path}, its fingerprint is ${fingerprint(publicKey)}.\n`);
  process.stderr.write('Its public part, for `ftpctl key add` on the server:\n');
  await writeOut(`${formatPublicKey(publicKey, comment)}\n`);
  return 0;
}

function makeKey(path: string, comment: string): void {
  try {
    writeKeyFile(path, generateKeyPair(), comment);
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind !== 'EEXIST') throw failure;
    throw new Failure('EEXIST', `there is a key in ${path} already: see it with --show, or move it away`, {
      cause: error,
    });
  }
}
