/* What machines ask for: /healthz and /metrics. */
import type { FastifyInstance } from 'fastify';
import { shareRows } from '../state/share-rows.js';
import { userRows } from '../state/user-rows.js';
import { readDisks } from './disks.js';
import { EXPOSITION_TYPE } from './exposition.js';
import { formatMetrics } from './metrics.js';
import type { WebOptions } from './options.js';

export function monitoring(web: FastifyInstance, { state, homes, ask }: WebOptions): void {
  web.get('/healthz', async (_, reply) => {
    const { silentWorkers } = await ask({ type: 'status' });
    const silent = silentWorkers.map((worker) => `worker ${worker} does not answer\n`);
    return reply
      .code(silent.length === 0 ? 200 : 503)
      .type('text/plain')
      .send(silent.length === 0 ? 'ok\n' : silent.join(''));
  });

  web.get('/metrics', async (_, reply) => {
    const [status, measurements, disks] = await Promise.all([
      ask({ type: 'status' }),
      ask({ type: 'measurements' }),
      readDisks({ homes, state: state.paths.directory }),
    ]);
    const users = userRows(state, status);
    const shares = shareRows(state, status);
    const bans = state.bans.list().length;
    return reply
      .type(EXPOSITION_TYPE)
      .send(formatMetrics({ status, measurements, disks, users, shares, bans }));
  });
}
