/**
 * Runs in the sandbox, beside the agent: `acp-client PROMPT-FILE COMMAND`. It starts the command, which speaks the
 * Agent Client Protocol (version 1) on stdin and stdout, gives it the prompt as one turn, and serves what it asks for.
 * Since all of this happens inside the candidate's copy, an agent reaches through its client no more than it does by
 * itself, and every permission it asks for is granted. JSON lines on stdout tell Lathe what happened; stderr is the
 * agent's own. The sandbox ends with this process, and with it the agent and its terminals.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { Readable, Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import * as acp from '@agentclientprotocol/sdk/unstable';
import { readTextFile, writeTextFile } from './files.mts';
import { Terminals } from './terminals.mts';

/** How long after its connection an agent may take to end. */
const EXIT_MS = 1_000;
const LATE_UPDATES_MS = 100;

const [promptFile, command] = process.argv.slice(2);
if (promptFile === undefined || command === undefined) throw new Error('usage: acp-client PROMPT-FILE COMMAND');
const root = process.cwd();

function tell(news: { type: string } & Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(news)}\n`);
}

async function run(promptText: string): Promise<void> {
  let answer: acp.PromptResponse | null = null;
  const child = spawn('sh', ['-c', command!], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (answer === null) reject(new Error(`the agent ended before its turn did (${signal ?? `exit ${code}`})`));
    });
  });
  exited.catch(() => {});
  child.stdin.on('error', () => {
    // The agent is gone: its exit tells.
  });
  const terminals = new Terminals(root);
  let costUsd = 0;
  const app = acp
    .client({ name: 'lathe' })
    .onRequest(acp.methods.client.session.requestPermission, ({ params }) => ({ outcome: grant(params.options) }))
    .onRequest(acp.methods.client.fs.readTextFile, ({ params }) => readTextFile(root, params))
    .onRequest(acp.methods.client.fs.writeTextFile, ({ params }) => writeTextFile(root, params))
    .onRequest(acp.methods.client.terminal.create, ({ params }) => terminals.create(params))
    .onRequest(acp.methods.client.terminal.output, ({ params }) => terminals.output(params.terminalId))
    .onRequest(acp.methods.client.terminal.waitForExit, ({ params }) => terminals.waitForExit(params.terminalId))
    .onRequest(acp.methods.client.terminal.kill, ({ params }) => terminals.kill(params.terminalId))
    .onRequest(acp.methods.client.terminal.release, ({ params }) => terminals.release(params.terminalId))
    .onNotification(acp.methods.client.session.update, ({ params: { update } }) => {
      if (update.sessionUpdate === 'tool_call') tell({ type: 'acp.tool', title: update.title });
      if (update.sessionUpdate === 'usage_update' && update.cost?.currency === 'USD') costUsd = update.cost.amount;
    });
  const stream = acp.ndJsonStream(
    Writable.toWeb(child.stdin) as WritableStream<Uint8Array>,
    Readable.toWeb(child.stdout) as ReadableStream<Uint8Array>,
  );
  const turn = app.connectWith(stream, async (agent): Promise<acp.PromptResponse> => {
    const { protocolVersion } = await agent.request(acp.methods.agent.initialize, {
      protocolVersion: acp.PROTOCOL_VERSION,
      clientInfo: { name: 'lathe', version: '0.1.0' },
      clientCapabilities: { fs: { readTextFile: true, writeTextFile: true }, terminal: true },
    });
    if (protocolVersion !== acp.PROTOCOL_VERSION)
      throw new Error(
        `the agent speaks version ${protocolVersion} of the protocol, Lathe version ${acp.PROTOCOL_VERSION}`,
      );
    const { sessionId } = await agent.request(acp.methods.agent.session.new, { cwd: root, mcpServers: [] });
    const prompt: acp.ContentBlock[] = [{ type: 'text', text: promptText }];
    answer = await agent.request(acp.methods.agent.session.prompt, { sessionId, prompt });
    // Updates sent just before the answer are handled after it, as long as the connection stands.
    await setTimeout(LATE_UPDATES_MS);
    return answer;
  });
  const explained = turn.catch(async (error: unknown) => {
    // An agent may end once it has answered.
    if (answer !== null) return answer;
    // A broken connection is often the first one hears of an agent's end; how it ended says more.
    await Promise.race([exited, setTimeout(EXIT_MS)]);
    throw error;
  });
  const { stopReason, usage } = await Promise.race([explained, exited]);
  const { inputTokens = 0, outputTokens = 0 } = usage ?? {};
  tell({ type: 'acp.finished', stopReason, inputTokens, outputTokens, costUsd });
}

/** Once rather than always: an answer for this run is no answer for the user's next session. */
function grant(options: readonly acp.PermissionOption[]): acp.RequestPermissionResponse['outcome'] {
  const granted =
    options.find(({ kind }) => kind === 'allow_once') ?? options.find(({ kind }) => kind === 'allow_always');
  return granted === undefined ? { outcome: 'cancelled' } : { outcome: 'selected', optionId: granted.optionId };
}

function reasonOf(error: unknown): string {
  const { code, data } = error as { code?: unknown; data?: unknown };
  const message = error instanceof Error ? error.message : String(error);
  const text = data == null ? message : `${message} ${JSON.stringify(data)}`.slice(0, 500);
  return code === -32000 ? `the agent wants to be logged in first: ${text}` : text;
}

try {
  await run(await readFile(promptFile, 'utf8'));
  process.exit(0);
} catch (error) {
  tell({ type: 'acp.failed', reason: reasonOf(error) });
  process.exit(1);
}
