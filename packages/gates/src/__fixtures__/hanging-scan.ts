import { createScannerPool } from '../scanners/pool.ts';
import { defaultGateConfig } from '../config.ts';

/** Starts a scan that never ends, and says so. */
const pool = createScannerPool(1, new URL('./misbehaving-worker.ts', import.meta.url).href);
const task = { scanner: 'characters', config: defaultGateConfig } as const;
await pool.run({ ...task, files: [{ path: 'a.js', text: '', language: 'javascript' }] }, { timeoutMs: 60_000 });
void pool.run({ ...task, files: [{ path: 'hang.js', text: '', language: 'javascript' }] }, { timeoutMs: 600_000 });
console.log('hanging');
