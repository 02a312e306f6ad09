export type { CopyStrategy } from './copy.ts';
export { detectIsolation, type IsolationPart, type IsolationReport, noIsolation } from './isolation.ts';
export { SandboxError } from './problem.ts';
export {
  createWorkDirectory,
  listWorkDirectories,
  removeWorkDirectory,
  type WorkDirectory,
} from './work-directory.ts';
export {
  type Access,
  type CommandResult,
  DEFAULT_LIMITS,
  type FileEdit,
  type Limits,
  type RunOptions,
  type Session,
  type Workspace,
  type WorkspaceSource,
} from './workspace.ts';
export { createWorkspaceSource, type WorkspaceSourceOptions } from './workspace-source.ts';
