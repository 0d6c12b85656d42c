/* A daemon with its web page, and the page's answers. */
import { startDaemon, type Daemon, type DaemonOptions } from '../lib/daemon.js';
import type { Scope } from '../lib/scope.js';

/** Starts a daemon that shows its page; `url` is where, without a slash at the end. */
export async function startWithWeb(
  scope: Scope,
  options: DaemonOptions = {},
): Promise<{ daemon: Daemon; url: string }> {
  const args = ['--web-listen', '127.0.0.1:0', ...(options.args ?? [])];
  const daemon = await startDaemon(scope, { ...options, args });
  const [, url = ''] = await daemon.service.says(/^web page on (http:\S+)$/m);
  return { daemon, url };
}
