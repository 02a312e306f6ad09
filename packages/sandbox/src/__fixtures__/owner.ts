/** Starts a command in a copy and says so; the test kills this process. Arguments: base, checkout, work directory, seconds to sleep. */
import { createWorkspaceSource, DEFAULT_LIMITS } from '../index.ts';

const [baseDirectory, checkoutDirectory, workDirectory, seconds] = process.argv.slice(2) as [string, string, string, string];
const source = await createWorkspaceSource({
  baseDirectory,
  checkoutDirectory,
  workDirectory,
  ignoredFiles: async () => [],
});
const workspace = await source.open('c1');
const running = workspace.run(`setsid sleep ${seconds} & nohup sleep ${seconds} & sleep ${seconds}`, { limits: DEFAULT_LIMITS });
process.stdout.write('started\n');
await running;
