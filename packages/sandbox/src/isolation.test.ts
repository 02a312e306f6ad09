import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { playground } from './__fixtures__/checkout.ts';
import { detectIsolation } from './index.ts';

const TOOLS = ['unshare', 'mount', 'prlimit', 'sh'];

describe.skipIf(process.platform !== 'linux')('isolation', () => {
  let bin: string;
  /** A PATH with util-linux on it and what a test adds. */
  beforeEach(async () => {
    bin = await mkdtemp(join(tmpdir(), 'lathe-path-'));
    for (const tool of TOOLS) await symlink(`/usr/bin/${tool}`, join(bin, tool));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(bin, { recursive: true, force: true });
  });
  const program = async (name: string, script: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  };

  it('without bubblewrap is not there: the part, and the command that mends it', async () => {
    vi.stubEnv('PATH', bin);
    const report = await detectIsolation();
    expect(report.available).toBe(false);
    expect(report.parts.find((part) => part.name === 'bubblewrap')).toMatchObject({
      ok: false,
      detail: 'not found',
      remedy: expect.stringMatching(/^(sudo )?apt-get install -y bubblewrap$/),
    });
  });

  it('is not there with a bubblewrap that is too old to forbid nested namespaces', async () => {
    await program('bwrap', 'echo bubblewrap 0.7.0');
    vi.stubEnv('PATH', bin);
    expect((await detectIsolation()).available).toBe(false);
  });

  it('is not there where user namespaces are forbidden: the complaint and a remedy', async () => {
    await program('bwrap', 'echo bubblewrap 0.8.0');
    await rm(join(bin, 'unshare'));
    await program(
      'unshare',
      '[ "$1" = --version ] || { echo "unshare: unshare failed: Operation not permitted" >&2; exit 1; }',
    );
    vi.stubEnv('PATH', bin);
    const report = await detectIsolation();
    expect(report.available).toBe(false);
    expect(report.parts.at(-1)).toMatchObject({
      name: 'user namespaces',
      ok: false,
      detail: 'unshare: unshare failed: Operation not permitted',
      remedy: expect.stringMatching(/sysctl|container/),
    });
  });

  it('that is not there: nothing is prepared and nothing runs', async () => {
    vi.stubEnv('PATH', bin);
    const work = join(bin, 'work');
    await mkdir(work);
    const failure = await playground({ workDirectory: work }).catch((error) => error);
    expect(failure).toMatchObject({
      code: 'LATHE_NO_ISOLATION',
      remedy: expect.stringContaining('install -y bubblewrap'),
    });
    expect(failure.message).toContain('bubblewrap: not found');
    expect(await readdir(work)).toEqual([]);
  });

  it('can be done without where that is said, and then the record says it', async () => {
    vi.stubEnv('PATH', `${bin}:/usr/bin`);
    await using ground = await playground({ unsafeNoSandbox: true });
    expect(ground.source.isolation).toContain('no isolation');
    expect((await ground.run('cat readme.md')).outputTail).toBe('base\n');
  });
});
