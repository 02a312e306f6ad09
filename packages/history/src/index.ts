export { type AuditOptions, audit } from './audit.ts';
export {
  type AuditedRepository,
  type AuditRepositoryOptions,
  auditRepository,
  CHURN_WINDOW_DAYS,
} from './audit-repository.ts';
export { AuditDocument } from './document.ts';
export { type FollowedCommit, type FollowedHistory, followHistory } from './follow.ts';
export { GitFailure, patchArguments as feedArguments, type Walk } from './git-log.ts';
export { CountedPaths, languageOf } from './paths.ts';
export { writeReport } from './report/write-report.ts';
