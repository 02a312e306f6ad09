import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Access,
  type CommandResult,
  isProblem,
  LatheError,
  type Limits,
  type MakeRequest,
  type Maker,
  type MakerNews,
  type Proposal,
  type WorkspaceSource,
} from '@lathe/protocol';
import { DEFAULT_LIMITS } from '@lathe/sandbox';
import PQueue from 'p-queue';
import { streamNews } from '../news-stream.ts';
import { agentCommandOf } from './agent-command.ts';
import { AgentOutput } from './agent-output.ts';
import type { AgentCommand } from './presets.ts';
import { locateProgram } from './program.ts';
import { promptOf } from './prompt.ts';
import type { AgentReport } from './reports.ts';
import { agentScript, clientFiles } from './script.ts';

/** An agent runs programs of its own, so it gets what a check gets, and more time. */
const AGENT_LIMITS: Limits = { ...DEFAULT_LIMITS, timeMs: 1_800_000, outputBytes: 256 * 2 ** 20 };
const DEFAULT_CONCURRENCY = 4;

export interface AgentMakerOptions {
  /** As the user gave it: `agent:codex`. */
  readonly model: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of each agent. */
  readonly limits?: Partial<Limits>;
  /** Agents at work at one time. */
  readonly concurrency?: number;
}

/** @throws LATHE_USAGE_MODEL, LATHE_USAGE_AGENT, LATHE_NOT_FOUND_AGENT */
export function openAgentMaker(options: AgentMakerOptions): Maker {
  const { model, environment } = options;
  const agent = agentCommandOf(model.replace(/^agent:/, ''), environment);
  const home = environment.HOME ?? '';
  const program = locateProgram(agent.command, environment.PATH ?? '', home);
  const settings = agent.settings
    .map((path) => ({ path, source: join(home, path) }))
    .filter(({ source }) => home !== '' && existsSync(source));
  const variables = agent.environment.flatMap((name) => {
    const value = environment[name];
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  const network = networkOf(environment.LATHE_AGENT_NETWORK);
  const access: Access = {
    network,
    readOnly: [
      ...program.readOnly,
      ...settings.map(({ source }) => source),
      ...(agent.paths ?? []),
      ...(agent.protocol === 'acp' ? clientFiles() : []),
    ],
    environment: Object.fromEntries(variables),
  };
  return new AgentMaker(options, {
    access,
    script: agentScript(agent, program.command, settings),
    reach: reachInWords(
      agent,
      access,
      settings.map(({ path }) => path),
    ),
  });
}

function networkOf(text: string | undefined): Access['network'] {
  if (text === undefined || text === '' || text === 'host') return 'host';
  if (text === 'none') return 'none';
  throw new LatheError(
    'LATHE_USAGE_AGENT',
    `expected host or none in LATHE_AGENT_NETWORK, got ${JSON.stringify(text)}`,
  );
}

interface AgentSetting {
  readonly access: Access;
  readonly script: string;
  /** What the agent reaches beyond its copy, in words, without values. */
  readonly reach: string;
}

/**
 * A coding agent that works in the candidate's own copy; what it changed there is the candidate. It reaches its model
 * over the network and gets the variables and settings its kind needs; see `reach` of its proposals. It is given
 * neither seed nor temperature: what makes candidates differ is the agent itself.
 */
class AgentMaker implements Maker {
  readonly model: string;
  readonly #setting: AgentSetting;
  readonly #limits: Limits;
  readonly #concurrency: number;

  constructor({ model, limits, concurrency = DEFAULT_CONCURRENCY }: AgentMakerOptions, setting: AgentSetting) {
    this.model = model;
    this.#setting = setting;
    this.#limits = { ...AGENT_LIMITS, ...limits };
    this.#concurrency = concurrency;
  }

  make(request: MakeRequest): AsyncGenerator<MakerNews> {
    const stop = new AbortController();
    const signal = AbortSignal.any([request.signal, stop.signal]);
    return streamNews(
      (tell) => this.#makeAll({ ...request, signal }, tell, (error) => stop.abort(error)),
      (reason) => stop.abort(reason),
    );
  }

  async close(): Promise<void> {}

  async #makeAll(request: MakeRequest, tell: (news: MakerNews) => void, stop: (error: unknown) => void): Promise<void> {
    if (request.budget.availableUsd !== Number.POSITIVE_INFINITY) {
      throw new LatheError(
        'LATHE_USAGE_AGENT_COST',
        `what ${this.model} spends is not in Lathe's hands, so no cost cap can be kept`,
        { remedy: 'leave --max-cost out and limit the agent at its provider, or use a hosted model' },
      );
    }
    const prompt = await promptOf(request.task, request.base);
    const source = request.workspaces.withAccess(this.#setting.access);
    const reach = `${source.isolation}; ${this.#setting.reach}`;
    tell({ type: 'phase', indices: request.indices, phase: 'waiting', detail: reach });
    const queue = new PQueue({ concurrency: this.#concurrency });
    let problem: unknown = null;
    const makeOne = async (index: number): Promise<void> => {
      try {
        tell({ type: 'proposal', proposal: await this.#makeOne(index, { request, source, prompt, reach, tell }) });
      } catch (error) {
        problem ??= error;
        stop(error);
      }
    };
    const { signal } = request;
    await Promise.allSettled(request.indices.map((index) => queue.add(() => makeOne(index), { signal })));
    if (problem !== null) throw problem;
    signal.throwIfAborted();
  }

  async #makeOne(index: number, { request, source, prompt, reach, tell }: One): Promise<Proposal> {
    const startedMs = performance.now();
    const ended = (
      outcome: Proposal['outcome'],
      reason: string | null,
      report: AgentReport | null = null,
      edits: Proposal['edits'] = [],
    ): Proposal => ({
      index,
      outcome,
      reason,
      edits,
      answer: '',
      seed: request.seed + index,
      tokens: report?.tokens ?? { prompt: 0, completion: 0 },
      costUsd: report?.costUsd ?? 0,
      durationMs: performance.now() - startedMs,
      meanLogProbability: null,
      reach,
    });

    const workspace = await source.open(`agent-${index}`);
    try {
      tell({ type: 'phase', indices: [index], phase: 'writing', detail: '' });
      const session = await workspace.start(this.#setting.script, { limits: this.#limits, signal: request.signal });
      const output = new AgentOutput((detail) => tell({ type: 'phase', indices: [index], phase: 'writing', detail }));
      session.stdout.on('data', (chunk: Buffer) => output.push(chunk));
      // An agent that ends before it has read its prompt says so by its exit.
      session.stdin.on('error', () => {});
      session.stdin.end(prompt);
      const result = await session.result;
      request.signal.throwIfAborted();
      const report = output.report();
      if (result.ending === 'timed-out') return ended('timed-out', endingInWords(result, this.#limits), report);
      if (result.ending !== 'exited') return ended('error', endingInWords(result, this.#limits), report);
      if (result.exitCode !== 0 || report.failure !== null) {
        return ended('error', failureInWords(result, report, output.tail()), report);
      }
      const edits = await workspace.changes();
      return edits.length === 0
        ? ended('invalid', 'the agent ended without a change', report)
        : ended('made', null, report, edits);
    } catch (error) {
      request.signal.throwIfAborted();
      // A sandbox that cannot be had concerns all; a copy that cannot be read concerns this candidate.
      if (isProblem(error) && error.code !== 'LATHE_CHANGES_TOO_LARGE') throw error;
      return ended('error', error instanceof Error ? error.message : String(error));
    } finally {
      await workspace.close();
    }
  }
}

interface One {
  readonly request: MakeRequest;
  readonly source: WorkspaceSource;
  readonly prompt: string;
  readonly reach: string;
  readonly tell: (news: MakerNews) => void;
}

function reachInWords({ protocol, paths = [] }: AgentCommand, access: Access, settings: readonly string[]): string {
  const variables = Object.keys(access.environment);
  return [
    access.network === 'host' ? 'the agent has the whole network of this machine' : 'the agent has no network',
    variables.length === 0 ? 'no variables of yours' : `the variables ${variables.join(', ')}`,
    settings.length === 0 ? 'no settings of yours' : `copies of ${settings.map((path) => `~/${path}`).join(', ')}`,
    ...(paths.length === 0 ? [] : [`${paths.join(', ')} to read`]),
    ...(protocol === 'acp' ? ['its requests are served inside its copy and always granted'] : []),
  ].join(', ');
}

function endingInWords({ ending }: CommandResult, limits: Limits): string {
  const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  switch (ending) {
    case 'timed-out':
      return `the agent ran past its ${Math.round(limits.timeMs / 1000)} s`;
    case 'memory':
      return `the agent used more than ${mebibytes(limits.memoryBytes)} of memory`;
    case 'processes':
      return `the agent started more than ${limits.processes} processes`;
    case 'output':
      return `the agent printed more than ${mebibytes(limits.outputBytes)}`;
    case 'disk':
      return `the agent wrote more than ${mebibytes(limits.diskBytes)}`;
    default:
      return `the agent was ended: ${ending}`;
  }
}

function failureInWords({ exitCode, outputTail }: CommandResult, { failure }: AgentReport, stdoutTail: string): string {
  const printed = exitCode === 0 ? '' : lastWords(outputTail || (failure === null ? stdoutTail : ''));
  return [`the agent failed (exit ${exitCode})`, failure ?? '', printed].filter((part) => part !== '').join(': ');
}

/** The last few lines of an output, on one. */
function lastWords(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.slice(-3).join(' / ').slice(-400);
}
