export {
  CURATE_DEFAULTS,
  type Curated,
  type CuratedFile,
  type CurateOptions,
  curate,
  type DataCard,
  FILTERS,
} from './curate.ts';
export { type ChangedFile, houseExcess } from './fit.ts';
export { createHouseGate, type HouseGate } from './house-gate.ts';
export { type LossCurves, lossPage, scorePage } from './pages.ts';
export { expectedBits, type FileScore, type LineScore, scoreFile } from './score.ts';
