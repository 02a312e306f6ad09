export { detectIsolation, noIsolation, type IsolationPart, type IsolationReport } from './isolation.ts';
export { SandboxError } from './problem.ts';
export {
  createWorkDirectory,
  listWorkDirectories,
  removeWorkDirectory,
  type WorkDirectory,
} from './work-directory.ts';
export {
  type CommandResult,
  DEFAULT_LIMITS,
  type FileEdit,
  type Limits,
  type RunOptions,
  type Workspace,
  type WorkspaceSource,
} from './workspace.ts';
export { createWorkspaceSource, type WorkspaceSourceOptions } from './workspace-source.ts';
