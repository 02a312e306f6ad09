/** Pulls one model in a process of its own: entry as JSON and folder as arguments, the outcome as JSON on stdout. */
import { isProblem } from '@lathe/protocol';
import { pull } from '../pull.ts';

const [entry, folder] = process.argv.slice(2);
const phases = new Set<string>();
try {
  const path = await pull(JSON.parse(entry!), {
    folder: folder!,
    env: process.env,
    signal: new AbortController().signal,
    onProgress: ({ phase }) => phases.add(phase),
  });
  process.stdout.write(JSON.stringify({ path, phases: [...phases] }));
} catch (error) {
  const problem = isProblem(error) ? error : null;
  process.stdout.write(JSON.stringify({ code: problem?.code, message: String(error), remedy: problem?.remedy }));
}
