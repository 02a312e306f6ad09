import { expect, test } from 'vitest';
import { made, started } from './__fixtures__/run-store-contract.ts';
import { readExport } from './transfer.ts';

async function* lines(...all: string[]): AsyncGenerator<string> {
  yield* all;
}

const line = (runId: string, seq: number, event: unknown) => JSON.stringify({ schemaVersion: 1, runId, seq, event });

test('runs are read in order, mixed and with blank lines between', async () => {
  const read = await readExport(
    lines(line('a', 0, started()), '', line('b', 0, started()), line('a', 1, made(0)), '  '),
  );
  expect(read).toEqual([
    { runId: 'a', events: [started(), made(0)] },
    { runId: 'b', events: [started()] },
  ]);
});

test.each([
  ['not JSON', '{"schemaVersion":1,', /^line 2: not JSON/],
  ['a line cut short', line('a', 1, made(0)).slice(0, -1), /^line 2: not JSON/],
  ['not an object', '7', /^line 2: expected an exported event/],
  ['another version', line('a', 1, made(0)).replace(':1,', ':2,'), /^line 2: .*schemaVersion/],
  ['not an event', line('a', 1, { type: 'kept', atMs: 1 }), /^line 2: .*event/],
  ['a time that is no date', line('a', 1, { ...made(0), atMs: 1e16 }), /^line 2: .*atMs is no date/],
  ['a gap', line('a', 2, made(0)), /^line 2: expected event 1 of run a, got event 2/],
  ['a repetition', line('a', 0, started()), /^line 2: expected event 1 of run a, got event 0/],
  ['a run without its beginning', line('b', 0, made(0)), /^line 2: expected run b to begin with run-started/],
  ['a run id that is a path', line('../b', 0, started()), /^line 2: .*runId: not a run id/],
  ['a run id with dots', line('b..c', 0, started()), /^line 2: .*runId: not a run id/],
])('%s is an error that names the line', async (_title, second, message) => {
  await expect(readExport(lines(line('a', 0, started()), second, line('a', 1, made(1))))).rejects.toMatchObject({
    code: 'LATHE_LEDGER_LINE',
    message: expect.stringMatching(message),
    remedy: expect.any(String),
  });
});
