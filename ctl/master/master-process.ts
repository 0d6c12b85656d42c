/* What a master runs: started by handing-over.ts, by nobody else. */
import { loadEvp } from '../../posix/libcrypto.js';
import { chooseAead } from '../../protocol/transport/aead.js';
import { takeOver } from './handing-over.js';
import { Master } from './master.js';

const { connection, options } = takeOver();
const master = new Master(connection, chooseAead(loadEvp()), options);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => master.stop());
void master.run().then(() => process.exit());
