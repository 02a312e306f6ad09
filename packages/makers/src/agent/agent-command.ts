import { LatheError } from '@lathe/protocol';
import { type AgentCommand, PRESETS } from './presets.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that say what an agent may have beside what its kind needs; entries are separated by commas. */
const LISTS = {
  LATHE_AGENT_ENVIRONMENT: { form: /^[A-Za-z_][A-Za-z0-9_]*$/, what: 'the name of a variable' },
  LATHE_AGENT_FILES: { form: /^(?!\/)(?!(.*\/)?\.\.(\/|$)).+$/, what: 'a path below the home directory' },
  LATHE_AGENT_PATHS: { form: /^\//, what: 'a full path' },
} as const;

/**
 * What stands behind `agent:`: a name of the table, `acp:` and a command line that speaks the Agent Client Protocol,
 * or any other command line.
 *
 * @throws LATHE_USAGE_MODEL, LATHE_USAGE_AGENT
 */
export function agentCommandOf(name: string, environment: Environment): AgentCommand {
  const {
    protocol,
    command,
    environment: variables,
    settings,
  } = Object.hasOwn(PRESETS, name) ? PRESETS[name]! : ownCommand(name);
  return {
    protocol,
    command,
    environment: [...variables, ...listOf('LATHE_AGENT_ENVIRONMENT', environment)],
    settings: [...settings, ...listOf('LATHE_AGENT_FILES', environment)],
    paths: listOf('LATHE_AGENT_PATHS', environment),
  };
}

function ownCommand(name: string): AgentCommand {
  const command = name.replace(/^acp:/, '').trim();
  if (command === '') {
    throw new LatheError('LATHE_USAGE_MODEL', `agent:${name} names no agent`, { remedy: agentForms() });
  }
  return { protocol: name.startsWith('acp:') ? 'acp' : 'command', command, environment: [], settings: [] };
}

export function agentForms(): string {
  return `use agent:NAME (${Object.keys(PRESETS).sort().join(', ')}), agent:acp:COMMAND or agent:COMMAND with {prompt} or {promptFile}`;
}

function listOf(variable: keyof typeof LISTS, environment: Environment): string[] {
  const { form, what } = LISTS[variable];
  const entries = (environment[variable] ?? '').split(',').map((entry) => entry.trim());
  return entries
    .filter((entry) => entry !== '')
    .map((entry) => {
      if (form.test(entry)) return entry;
      throw new LatheError('LATHE_USAGE_AGENT', `expected ${what} in ${variable}, got ${JSON.stringify(entry)}`, {
        remedy: `list ${what} each, with commas between`,
      });
    });
}
