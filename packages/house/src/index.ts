export {
  CURATE_DEFAULTS,
  type Curated,
  type CuratedFile,
  type CurateOptions,
  curate,
  type DataCard,
  FILTERS,
} from './curate.ts';
export { type LossCurves, lossPage, scorePage } from './pages.ts';
export { type FileScore, type LineScore, scoreFile } from './score.ts';
