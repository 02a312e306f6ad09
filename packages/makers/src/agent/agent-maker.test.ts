import { fileURLToPath } from 'node:url';
import type { MakeRequest } from '@lathe/protocol';
import { detectIsolation } from '@lathe/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect, holeRequest, TestBudget } from '../hosted/__fixtures__/request.ts';
import { type Checkout, contents, FILES, openCheckout } from './__fixtures__/checkout.ts';
import { type AgentMakerOptions, openAgentMaker } from './agent-maker.ts';

const FIXTURES = fileURLToPath(new URL('__fixtures__', import.meta.url));
const isolation = await detectIsolation();
const why = isolation.available ? '' : ' (skipped: candidates cannot be isolated here, see `lathe doctor`)';

const WRITTEN = FILES['double.js'].replace("throw new Error('not written yet')", 'return number * 2');

describe.skipIf(!isolation.available)(`agents in their copies${why}`, () => {
  let checkout: Checkout;
  beforeAll(async () => {
    checkout = await openCheckout({ '.agent/settings.json': '{"login":"mine"}', '.ssh/id': 'private' });
  });
  afterAll(() => checkout?.[Symbol.asyncDispose]());

  function make(
    agent: string,
    words: string,
    options: { n?: number; environment?: Record<string, string>; request?: Partial<MakeRequest> } & Omit<
      Partial<AgentMakerOptions>,
      'environment'
    > = {},
  ) {
    const { n = 1, environment = {}, request = {}, ...rest } = options;
    const maker = openAgentMaker({
      model: `agent:${agent}`,
      environment: { PATH: '/usr/bin:/bin', HOME: checkout.home, LATHE_AGENT_PATHS: FIXTURES, ...environment },
      ...rest,
    });
    const task = { kind: 'instruction' as const, instruction: words, files: [], checks: [], allow: [] };
    return collect(maker.make(holeRequest({ n, task, workspaces: checkout.workspaces, ...request })));
  }
  const acp = (script: string, options: Parameters<typeof make>[2] = {}) =>
    make(`acp:'${process.execPath}' '${FIXTURES}/acp-agent.mjs'`, `script: ${script}`, options);

  describe('that speak the Agent Client Protocol', () => {
    it('read, write, run commands and ask through their client, inside the copy', async () => {
      const { proposals, news, error } = await acp('polite');
      expect(error).toBeNull();
      expect(proposals[0]).toMatchObject({
        outcome: 'made',
        reason: null,
        tokens: { prompt: 120, completion: 30 },
        costUsd: 0.25,
        answer: '',
      });
      expect(contents(proposals[0]!.edits)).toEqual({ 'double.js': WRITTEN, 'notes.txt': 'grüß' });
      expect(news).toContainEqual({ type: 'phase', indices: [0], phase: 'writing', detail: 'Write double.js' });
    });

    it('get nothing outside the copy from their client', async () => {
      const { proposals } = await acp('sly');
      expect(contents(proposals[0]!.edits)).toEqual({
        'answers.txt': 'refused refused refused refused refused refused',
      });
    });

    it('may end as soon as their turn does', async () => {
      const { proposals } = await acp('hasty');
      expect(proposals[0]).toMatchObject({ outcome: 'made', reason: null });
    });

    it('see their own settings and variables, and nothing else of the user', async () => {
      const { proposals } = await acp('look', {
        environment: {
          LATHE_TEST_SECRET: 'hidden',
          LATHE_TEST_GRANTED: 'shown',
          LATHE_AGENT_ENVIRONMENT: 'LATHE_TEST_GRANTED',
          LATHE_AGENT_FILES: '.agent/settings.json,.agent/none.json',
        },
      });
      expect(JSON.parse(contents(proposals[0]!.edits)['seen.json']!)).toEqual({
        secret: null,
        granted: 'shown',
        settings: '{"login":"mine"}',
      });
      expect(proposals[0]!.reach).toBe(
        `bubblewrap, with network, overlay copy; the agent has the whole network of this machine, the variables LATHE_TEST_GRANTED, copies of ~/.agent/settings.json, ${FIXTURES} to read, its requests are served inside its copy and always granted`,
      );
      expect(proposals[0]!.reach).not.toContain('shown');
    });

    it.each([
      ['idle', 'invalid', 'the agent ended without a change'],
      ['broken', 'error', expect.stringMatching(/^the agent failed \(exit 1\): Internal error.*the model is down/)],
      ['refuse', 'error', 'the agent failed (exit 0): the agent refused the task'],
      [
        'crash',
        'error',
        'the agent failed (exit 1): the agent ended before its turn did (exit 7): TypeError: the agent has a bug',
      ],
    ])('that %s make no candidate', async (script, outcome, reason) => {
      const { proposals } = await acp(script);
      expect(proposals[0]).toMatchObject({ outcome, reason, edits: [] });
    });

    it('that are not logged in say so', async () => {
      const { proposals } = await acp('polite', {
        environment: { LATHE_TEST_LOGGED_OUT: '1', LATHE_AGENT_ENVIRONMENT: 'LATHE_TEST_LOGGED_OUT' },
      });
      expect(proposals[0]!.outcome).toBe('error');
      expect(proposals[0]!.reason).toMatch(/the agent wants to be logged in first/);
    });

    it('are ended when their time is up', async () => {
      const { proposals } = await acp('hang', { limits: { timeMs: 1_500 } });
      expect(proposals[0]).toMatchObject({ outcome: 'timed-out', reason: 'the agent ran past its 2 s' });
    });

    it('that speak something else are errors', async () => {
      const { proposals } = await make('acp:echo hello', 'anything');
      expect(proposals[0]!.outcome).toBe('error');
    });
  });

  describe('that are commands', () => {
    it('get the prompt as an argument, in a file, or on stdin, whatever is in it', async () => {
      const words = `Say "$HOME" and 'this' \`now\`\n\\n $(touch pwned) {prompt} ü`;
      for (const command of [
        `printf '%s' {prompt} > got.txt`,
        `printf '%s' "{prompt}" > got.txt`,
        'cat {promptFile} > got.txt',
        'cat > got.txt',
      ]) {
        const { proposals } = await make(command, words);
        const made = contents(proposals[0]!.edits);
        expect(Object.keys(made)).toEqual(['got.txt']);
        expect(made['got.txt']).toContain(words);
      }
    });

    it('are told the hole, the checks and what they may change', async () => {
      const task = {
        kind: 'hole' as const,
        instruction: 'Be quick.',
        at: { file: 'double.js', name: 'double' },
        files: ['double.js'],
        checks: ['node --test'],
        allow: ['*.js'],
      };
      const { proposals } = await make('cat > got.js', '', { request: { task } });
      const prompt = contents(proposals[0]!.edits)['got.js']!;
      for (const part of ['`double` in `double.js`', 'Be quick.', '  node --test', 'match: *.js'])
        expect(prompt).toContain(part);
      const missing = await make('cat > got.js', '', {
        request: { task: { ...task, at: { file: 'double.js', name: 'triple' } } },
      });
      expect(missing).toMatchObject({ proposals: [], error: { code: expect.stringMatching(/^LATHE_NOT_FOUND/) } });
    });

    it('are candidates by what they changed, deleted and made, less what git ignores', async () => {
      const { proposals } = await make('rm double.js; echo x > new.txt; echo y > ignored.log', 'anything');
      expect(contents(proposals[0]!.edits)).toEqual({ 'double.js': null, 'new.txt': 'x\n' });
    });

    it('that fail are errors with their last words, and the others go on', async () => {
      const command = `echo "first line" >&2; if [ -e broken ]; then :; fi; echo "no credit left" >&2; exit 4`;
      const { proposals, error } = await make(command, 'anything', { n: 2 });
      expect(error).toBeNull();
      expect(proposals.map(({ outcome, reason }) => [outcome, reason])).toEqual(
        Array(2).fill(['error', 'the agent failed (exit 4): first line / no credit left']),
      );
    });

    it('work each in a copy of their own, so many at a time', async () => {
      const command = `[ -e mine ] && exit 9; echo $$ > mine; sleep 0.2; echo "$(ls)" > seen.txt`;
      const { proposals, news } = await make(command, 'anything', { n: 3, concurrency: 2 });
      expect(proposals.map(({ outcome }) => outcome)).toEqual(['made', 'made', 'made']);
      const order = news.flatMap((one) => {
        if (one.type === 'proposal') return ['end'];
        return one.type === 'phase' && one.phase === 'writing' ? ['start'] : [];
      });
      expect(order.slice(0, 3)).toEqual(['start', 'start', 'end']);
    });

    it('report tokens and cost as claude and codex do', async () => {
      const claude = `{"type":"result","is_error":false,"result":"ok","total_cost_usd":0.5,"usage":{"input_tokens":3,"cache_creation_input_tokens":4,"cache_read_input_tokens":5,"output_tokens":6}}`;
      const first = await make(`echo x > x; echo '${claude}'`, 'anything');
      expect(first.proposals[0]).toMatchObject({ tokens: { prompt: 12, completion: 6 }, costUsd: 0.5 });
      const codex = `{"type":"thread.started"}\n{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":5,"output_tokens":2}}`;
      const second = await make(`echo x > x; printf '${codex}'`, 'anything');
      expect(second.proposals[0]).toMatchObject({ tokens: { prompt: 10, completion: 2 }, costUsd: 0 });
    });

    it('that report a failure and exit with 0 are errors all the same', async () => {
      const failed = `{"type":"result","is_error":true,"result":"Credit balance is too low"}`;
      const { proposals } = await make(`echo x > x; echo '${failed}'`, 'anything');
      expect(proposals[0]).toMatchObject({
        outcome: 'error',
        reason: 'the agent failed (exit 0): Credit balance is too low',
      });
    });

    it('have no network where the user says so', async () => {
      const command = `ls /sys/class/net 2>/dev/null | wc -l; cat /proc/net/route | wc -l > routes.txt`;
      const { proposals } = await make(command, 'anything', { environment: { LATHE_AGENT_NETWORK: 'none' } });
      expect(contents(proposals[0]!.edits)['routes.txt']!.trim()).toBe('1');
      expect(proposals[0]!.reach).toMatch(/^bubblewrap, no network, overlay copy; the agent has no network/);
    });

    it('end with the run', async () => {
      const abort = new AbortController();
      setTimeout(() => abort.abort(new Error('enough')), 300);
      const { proposals, error } = await make('sleep 600', 'anything', { n: 2, request: { signal: abort.signal } });
      expect(proposals).toEqual([]);
      expect(error).toMatchObject({ message: 'enough' });
    });
  });

  it('are refused with a cost cap, which nobody could keep', async () => {
    const { error } = await make('true', 'anything', { request: { budget: new TestBudget(1) } });
    expect(error).toMatchObject({ code: 'LATHE_USAGE_AGENT_COST' });
  });
});
