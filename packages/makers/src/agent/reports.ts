import type { TokenCount } from '@lathe/protocol';
import { z } from 'zod';

/** What an agent says of itself on stdout, as far as it is understood. */
export interface AgentReport {
  readonly tokens: TokenCount;
  readonly costUsd: number;
  /** Its own account of a failure, or null. */
  readonly failure: string | null;
}

const count = z.number().min(0).catch(0);

/** One JSON document at the end of `claude -p --output-format json` (and the last line of `stream-json`). */
const ClaudeResult = z.object({
  type: z.literal('result'),
  is_error: z.boolean().catch(false),
  result: z.string().catch(''),
  total_cost_usd: count,
  usage: z
    .object({
      input_tokens: count,
      cache_creation_input_tokens: count,
      cache_read_input_tokens: count,
      output_tokens: count,
    })
    .optional(),
});

/** Lines of `codex exec --json`. */
const CodexTurn = z.object({
  type: z.literal('turn.completed'),
  usage: z.object({ input_tokens: count, output_tokens: count }),
});
const CodexFailure = z.object({ type: z.literal('turn.failed'), error: z.object({ message: z.string() }) });

/** Line of Lathe's own client of the Agent Client Protocol at the end of a session. */
export const AcpResult = z.object({
  type: z.literal('acp.finished'),
  stopReason: z.string(),
  inputTokens: count,
  outputTokens: count,
  costUsd: count,
});
export const AcpFailure = z.object({ type: z.literal('acp.failed'), reason: z.string() });
export const AcpTool = z.object({ type: z.literal('acp.tool'), title: z.string() });

/** Sums the lines that are understood; everything else an agent prints is left alone. */
export function readReport(stdout: string): AgentReport {
  let prompt = 0;
  let completion = 0;
  let costUsd = 0;
  let failure: string | null = null;
  for (const document of documentsOf(stdout)) {
    const claude = ClaudeResult.safeParse(document);
    if (claude.success) {
      const { usage, total_cost_usd, is_error, result } = claude.data;
      prompt +=
        (usage?.input_tokens ?? 0) + (usage?.cache_creation_input_tokens ?? 0) + (usage?.cache_read_input_tokens ?? 0);
      completion += usage?.output_tokens ?? 0;
      costUsd += total_cost_usd;
      if (is_error) failure = result || 'the agent reports an error';
    }
    const codex = CodexTurn.safeParse(document);
    if (codex.success) {
      prompt += codex.data.usage.input_tokens;
      completion += codex.data.usage.output_tokens;
    }
    const codexFailure = CodexFailure.safeParse(document);
    if (codexFailure.success) failure = codexFailure.data.error.message;
    const acp = AcpResult.safeParse(document);
    if (acp.success) {
      prompt += acp.data.inputTokens;
      completion += acp.data.outputTokens;
      costUsd += acp.data.costUsd;
      if (acp.data.stopReason === 'refusal') failure = 'the agent refused the task';
    }
    const acpFailure = AcpFailure.safeParse(document);
    if (acpFailure.success) failure = acpFailure.data.reason;
  }
  return { tokens: { prompt: Math.round(prompt), completion: Math.round(completion) }, costUsd, failure };
}

/** JSON documents of an output: the whole of it, or each line. */
function documentsOf(text: string): unknown[] {
  const whole = parsed(text.trim());
  if (whole !== undefined) return Array.isArray(whole) ? whole : [whole];
  return text.split('\n').flatMap((line) => {
    const document = line.startsWith('{') ? parsed(line) : undefined;
    return document === undefined ? [] : [document];
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
