/**
 * Runs a command in a copy, in a process of its own that a test may kill or start in a special way. Arguments: base,
 * checkout, work directory, command.
 */
import { createWorkspaceSource, DEFAULT_LIMITS } from '../index.ts';

const [baseDirectory, checkoutDirectory, workDirectory, command] = process.argv.slice(2) as [string, string, string, string];
const source = await createWorkspaceSource({
  baseDirectory,
  checkoutDirectory,
  workDirectory,
  ignoredFiles: async () => [],
});
const workspace = await source.open('c1');
process.stdout.write('started\n');
const { exitCode, outputTail } = await workspace.run(command, { limits: DEFAULT_LIMITS });
process.stdout.write(`${outputTail}ended with ${exitCode}\n`);
await source.close();
