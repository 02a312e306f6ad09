export { type AuditOptions, audit } from './audit.ts';
export {
  type AuditedRepository,
  type AuditRepositoryOptions,
  auditRepository,
  CHURN_WINDOW_DAYS,
} from './audit-repository.ts';
export { AuditDocument, FindingLife } from './document.ts';
export { MOST_SAMPLES, type ScanFiles } from './findings/over-time.ts';
export { type FollowedCommit, type FollowedHistory, followHistory } from './follow.ts';
export { GitFailure, logArguments as feedArguments, type Walk } from './git-log.ts';
export { LANGUAGE_NAMES, languageOf } from './languages.ts';
export { CountedPaths } from './paths.ts';
export { loadDrawing } from './report/load-drawing.ts';
export { notFollowedInWords } from './report/not-followed.ts';
export { reportPage } from './report/report-page.ts';
export { keepYoungGenerationSmall } from './young-generation.ts';
