import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentCommand } from './presets.ts';
import { quoted } from './program.ts';

/** Inside the sandbox, in the agent's own empty home. */
const PROMPT = '"$HOME/.lathe-prompt"';

/**
 * The command line that runs an agent in its copy. The prompt comes on stdin, so that it is nobody's argument and no
 * file of the copy; settings are copied into the agent's own home, where it may write. `{promptFile}` stands for the
 * prompt's path, `{prompt}` for the prompt as one argument; a command with neither gets the prompt on its stdin.
 */
export function agentScript(
  { protocol }: AgentCommand,
  command: string,
  settings: readonly { readonly path: string; readonly source: string }[],
): string {
  const lines = [`cat > ${PROMPT} || exit 125`];
  for (const { path, source } of settings) {
    const target = `"$HOME"/${quoted(path)}`;
    lines.push(`mkdir -p "$(dirname ${target})" && cp ${quoted(source)} ${target} || exit 125`);
  }
  if (protocol === 'acp') {
    // The Node that runs Lathe: another on the sandbox's PATH may be too old for TypeScript.
    const node = `${quoted(process.execPath)} --disable-warning=ExperimentalWarning`;
    lines.push(`exec ${node} ${quoted(CLIENT)} ${PROMPT} ${quoted(command)}`);
  } else {
    const placed = command
      .replaceAll(/(["']?)\{promptFile\}\1/g, () => PROMPT)
      .replaceAll(/(["']?)\{prompt\}\1/g, () => `"$(cat ${PROMPT})"`);
    lines.push(`{\n${placed}\n} < ${placed === command ? PROMPT : '/dev/null'}`);
  }
  return lines.join('\n');
}

const CLIENT = fileURLToPath(new URL('inside/acp-client.mts', import.meta.url));

/** What the client of the Agent Client Protocol, which runs in the sandbox, needs to see of Lathe. */
export function clientFiles(): readonly string[] {
  return [join(CLIENT, '..'), packageOf('@agentclientprotocol/sdk'), packageOf('zod')];
}

function packageOf(name: string): string {
  const file = createRequire(import.meta.url).resolve(name);
  const folder = join('node_modules', name);
  return file.slice(0, file.lastIndexOf(folder) + folder.length);
}
