export {
  CURATE_DEFAULTS,
  type Curated,
  type CurateHooks,
  type CurateOptions,
  type CurateProgress,
  curate,
  curatedFiles,
  type DataCard,
} from './curate.ts';
export { type ChangedFile, houseExcess } from './fit.ts';
export { createHouseGate, type HouseGate } from './house-gate.ts';
export { type LossCurves, lossPage, scorePage } from './pages.ts';
export { expectedBits, type FileScore, type LineScore, scoreFile } from './score.ts';
export { type CuratedFile, FILTERS, type Filter } from './sieve.ts';
