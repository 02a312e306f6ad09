export { listRuns } from './list-runs.ts';
export { openRunStore } from './open.ts';
