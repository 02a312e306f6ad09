import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openRunStore } from '@lathe/ledger';
import { type Event, RunDocument } from '@lathe/protocol';
import { expect, test } from 'vitest';
import { withoutIsolation } from './testing/isolation.ts';
import { type ModelServer, startModelServer } from './testing/model-server.ts';
import { initRepository, type TestRepository } from './testing/repository.ts';
import { cacheHome, runLathe, startLathe } from './testing/run-lathe.ts';

/** Kills in all, spread over as many runs as that takes. */
const KILLS = 20;
/** Kills of one run before it is left in peace. */
const KILLS_A_RUN = 7;
const CANDIDATES = 6;

const answer = (body: string) => `\`\`\`js\nexport function double(number) {\n  ${body}\n}\n\`\`\``;
const ANSWERS = [
  answer('return number * 2;'),
  answer('return number + 1;'),
  'I am sorry, I cannot do that.',
  answer('return number + number;'),
  answer('return number << 1;'),
  answer('return  number * 2; // again'),
  answer('throw new Error("no");'),
];

function repository(): TestRepository {
  const made = initRepository();
  made.write('double.js', 'export function double(number) {\n  throw new Error("not written yet");\n}\n');
  // Long enough that some kills fall into a check.
  const check =
    'import { double } from "./double.js";\nsetTimeout(() => process.exit(double(21) === 42 ? 0 : 1), 60);\n';
  made.write('check.mjs', check);
  made.write('package.json', '{"type":"module"}\n');
  made.git('add', '-A');
  made.git('commit', '-q', '-m', 'First');
  made.write('uncommitted.txt', 'mine\n');
  return made;
}

const latheDir = (root: string) => join(root, '.git/lathe');

async function eventsOf(root: string): Promise<{ runId: string; events: readonly Event[] } | null> {
  const path = join(latheDir(root), 'ledger.sqlite');
  if (!existsSync(path)) return null;
  const store = await openRunStore(path);
  try {
    const [run] = await store.list();
    return run === undefined ? null : { runId: run.runId, events: await store.read(run.runId) };
  } finally {
    await store.close();
  }
}

const indicesOf = (events: readonly Event[], type: Event['type']) =>
  events.flatMap((event) => (event.type === type && 'index' in event ? [event.index] : []));

/** Candidates that need not be made again: their answer is in an event or in a commit. */
async function madeSoFar(root: string, git: TestRepository['git']): Promise<Set<number>> {
  const recorded = git('for-each-ref', '--format=%(refname:lstrip=3)', 'refs/lathe/').split('\n');
  const indices = recorded.filter((name) => /^\d+$/.test(name)).map(Number);
  return new Set([...indices, ...indicesOf((await eventsOf(root))?.events ?? [], 'candidate-made')]);
}

function choicesAsked(server: ModelServer, from: number): number {
  return server.requests.slice(from).reduce((sum, { n }) => sum + (typeof n === 'number' ? n : 1), 0);
}

/** Processes other than this one whose command line or working directory names the path. */
function processesAt(path: string): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return command.includes(path) ? [`${pid}: ${command}`] : [];
      } catch {
        return [];
      }
    });
}

test.skipIf(withoutIsolation !== null)(
  `killed at ${KILLS} random moments, a run is resumed to its end: nothing redone, nothing lost, nothing left${withoutIsolation ?? ''}`,
  { timeout: 240_000 },
  async () => {
    await using server = await startModelServer(ANSWERS);
    const env = { OPENAI_BASE_URL: server.url };
    const make = ['make', '--at', 'double.js:double', '--model', 'openai:scripted', '-n', String(CANDIDATES)];
    const makeArgs = [...make, '--check', 'node check.mjs', '--concurrency', '2', '--seed', '1'];
    const moments: string[] = [];
    let kills = 0;

    while (kills < KILLS) {
      const { root, git } = repository();
      const untouched = () =>
        [git('status', '--porcelain', '--branch'), git('for-each-ref', 'refs/heads'), git('ls-files', '-s')].join();
      const before = untouched();
      let stored: readonly Event[] = [];

      for (let killsOfRun = 0; killsOfRun < KILLS_A_RUN && kills < KILLS; ) {
        const known = await eventsOf(root);
        const { process: child, ended } = startLathe(known === null ? makeArgs : ['resume', known.runId], {
          cwd: root,
          env,
        });
        // Each line on stderr is a thing that happened: counting them spreads the kills over the whole run, however fast
        // the machine is; the delay then lands them between two such things.
        const lines = 1 + Math.floor(Math.random() * 12);
        const delayMs = Math.random() * 60;
        let seen = 0;
        let timer: NodeJS.Timeout | undefined;
        child.stderr?.on('data', (text: string) => {
          seen += text.split('\n').length - 1;
          if (seen >= lines) timer ??= setTimeout(() => child.kill('SIGKILL'), delayMs);
        });
        const { status, stderr } = await ended;
        clearTimeout(timer);
        const after = (await eventsOf(root))?.events ?? [];
        expect(after.slice(0, stored.length), 'events are only ever added').toEqual(stored);
        stored = after;
        if (status !== null) {
          // It was faster than the kill.
          expect([0, 10], stderr).toContain(status);
          break;
        }
        kills += 1;
        killsOfRun += 1;
        moments.push(`${seen} lines and ${delayMs.toFixed(0)} ms: ${after.at(-1)?.type ?? 'no event'}`);
      }

      const known = await eventsOf(root);
      const done = await madeSoFar(root, git);
      const finished = new Set(indicesOf(stored, 'candidate-finished'));
      const requests = server.requests.length;
      const last = known === null ? [...makeArgs, '--json'] : ['resume', known.runId, '--json'];
      const result = await runLathe(last, { cwd: root, env });
      const context = `${moments.join('\n')}\n${result.stderr}`;
      expect(result.status, context).toBe(0);

      const document = RunDocument.parse(JSON.parse(result.stdout));
      expect(
        document.candidates.map(({ index }) => index),
        context,
      ).toEqual(Array.from({ length: CANDIDATES }, (_, i) => i));
      for (const { status, reason } of document.candidates) expect(status, `${reason}\n${context}`).not.toBe('error');
      for (const { ref } of document.candidates) if (ref !== null) git('rev-parse', '--verify', '--quiet', ref);

      const events = (await eventsOf(root))?.events ?? [];
      expect(events.slice(0, stored.length), context).toEqual(stored);
      expect(choicesAsked(server, requests), context).toBe(CANDIDATES - done.size);
      for (const type of ['candidate-made', 'candidate-recorded', 'candidate-finished'] as const) {
        const indices = indicesOf(events, type);
        expect(new Set(indices).size, `${type} twice\n${context}`).toBe(indices.length);
      }
      const checkedAgain = indicesOf(events.slice(stored.length), 'check-finished').filter((index) =>
        finished.has(index),
      );
      expect(checkedAgain, context).toEqual([]);
      expect(
        events.filter(({ type }) => type === 'base-checked'),
        context,
      ).toHaveLength(1);

      expect(untouched()).toBe(before);
      await runLathe(['clean'], { cwd: root, env });
      expect(processesAt(join(cacheHome, 'lathe/work')), context).toEqual([]);
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(cacheHome);
      expect(readdirSync(join(cacheHome, 'lathe/work')), context).toEqual([]);
      for (const folder of ['tmp', 'owners', 'keep']) {
        const path = join(latheDir(root), folder);
        expect(existsSync(path) ? readdirSync(path) : [], `${folder}\n${context}`).toEqual([]);
      }
      expect(git('fsck', '--strict')).not.toMatch(/error|missing|broken/);
    }
    if (process.env.LATHE_TEST_VERBOSE !== undefined) process.stderr.write(`${moments.join('\n')}\n`);
  },
);
