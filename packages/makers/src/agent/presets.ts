/** How an agent is started and what it needs of the user's. */
export interface AgentCommand {
  /** `acp`: speaks the Agent Client Protocol on stdin and stdout. `command`: works, and exits when it is done. */
  readonly protocol: 'acp' | 'command';
  /** Shell command line. */
  readonly command: string;
  /** Variables it gets where the user has set them. */
  readonly environment: readonly string[];
  /** Files below the user's home it gets copies of: credentials and settings, never histories. */
  readonly settings: readonly string[];
  /** Directories and files outside the repository it is shown read-only, by their full paths. */
  readonly paths?: readonly string[];
}

const CLAUDE = {
  environment: ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_BASE_URL', 'CLAUDE_CODE_OAUTH_TOKEN'],
  settings: ['.claude/.credentials.json'],
};
const CODEX = {
  environment: ['OPENAI_API_KEY', 'CODEX_API_KEY', 'OPENAI_BASE_URL'],
  settings: ['.codex/auth.json', '.codex/config.toml'],
};

/**
 * Agents by name, as their manuals and the registry of the Agent Client Protocol had them in November 2026. Their own
 * sandboxes and questions are turned off where there is a switch: Lathe's copy is the sandbox, and nobody is there to
 * answer.
 */
export const PRESETS: Readonly<Record<string, AgentCommand>> = {
  claude: {
    protocol: 'command',
    command: 'claude -p --output-format json --permission-mode bypassPermissions',
    ...CLAUDE,
  },
  codex: {
    protocol: 'command',
    command: 'codex exec --json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox -',
    ...CODEX,
  },
  'claude-acp': { protocol: 'acp', command: 'claude-agent-acp', ...CLAUDE },
  'codex-acp': { protocol: 'acp', command: 'codex-acp', ...CODEX },
  copilot: {
    protocol: 'acp',
    command: 'copilot --acp --stdio',
    environment: ['COPILOT_GITHUB_TOKEN', 'GH_TOKEN', 'GITHUB_TOKEN'],
    settings: [],
  },
  gemini: {
    protocol: 'acp',
    command: 'gemini --acp',
    environment: ['GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GOOGLE_GEMINI_BASE_URL'],
    settings: ['.gemini/oauth_creds.json', '.gemini/google_accounts.json', '.gemini/settings.json'],
  },
  goose: {
    protocol: 'acp',
    command: 'goose acp',
    environment: ['GOOSE_PROVIDER', 'GOOSE_MODEL', 'OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GOOGLE_API_KEY'],
    settings: ['.config/goose/config.yaml'],
  },
  opencode: {
    protocol: 'acp',
    command: 'opencode acp',
    environment: ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY'],
    settings: ['.local/share/opencode/auth.json', '.config/opencode/opencode.json'],
  },
  qwen: {
    protocol: 'acp',
    command: 'qwen --acp',
    environment: ['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'OPENAI_MODEL'],
    settings: ['.qwen/oauth_creds.json', '.qwen/settings.json'],
  },
};
