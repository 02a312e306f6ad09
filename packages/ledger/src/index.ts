export type { Attempts } from './attempts.ts';
export { listRuns } from './list-runs.ts';
export type { Comparison, MatchedSurvival } from './matched-survival.ts';
export { openRunStore } from './open.ts';
export {
  FATES,
  type HistoryCommit,
  type KeptCandidate,
  type LineHistory,
  type LineLife,
  type Outcome,
} from './outcomes.ts';
export { FEWEST_LINES } from './prediction/observations.ts';
export type { ChurnPrediction, SignalPrediction } from './prediction/predict-churn.ts';
export { type LedgerReport, reportLedger } from './report.ts';
export type { LedgerStore, StoredRun } from './run-store.ts';
export { exportRuns, readExport } from './transfer.ts';
