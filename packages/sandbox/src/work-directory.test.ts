import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWorkDirectory, listWorkDirectories, removeWorkDirectory } from './index.ts';

describe('a work directory', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'lathe-work-'));
  });
  afterEach(async () => rm(root, { recursive: true, force: true }));

  it('is found again, and removed with all it holds', async () => {
    const path = join(root, 'run-1');
    await createWorkDirectory(path);
    await createWorkDirectory(path);
    await mkdir(join(path, 'copies/c1/upper'), { recursive: true });
    expect((await listWorkDirectories(root)).map((found) => found.path)).toEqual([path]);
    await removeWorkDirectory(path);
    expect(await readdir(root)).toEqual([]);
    expect(await listWorkDirectories(join(root, 'nowhere'))).toEqual([]);
  });

  it('holds what an overlay and a candidate leave: closed directories, links out of it', async () => {
    const path = join(root, 'run-1');
    await createWorkDirectory(path);
    const upper = join(path, 'copies/c1/upper');
    await mkdir(join(path, 'copies/c1/work/work/index'), { recursive: true });
    await chmod(join(path, 'copies/c1/work/work'), 0);
    await mkdir(join(upper, 'closed/inner'), { recursive: true });
    await chmod(join(upper, 'closed'), 0);
    await writeFile(join(root, 'precious'), 'x');
    await mkdir(join(root, 'kept'));
    await symlink(root, join(upper, 'out'));
    await removeWorkDirectory(path);
    expect(await readdir(root)).toEqual(['kept', 'precious']);
  });

  it('is never one that Lathe did not make', async () => {
    const path = join(root, 'mine');
    await mkdir(path);
    await writeFile(join(path, 'thesis.tex'), 'x');
    await expect(removeWorkDirectory(path)).rejects.toMatchObject({ code: 'LATHE_WORK_DIRECTORY' });
    await expect(createWorkDirectory(path)).rejects.toMatchObject({ code: 'LATHE_WORK_DIRECTORY' });
    expect(await readdir(path)).toEqual(['thesis.tex']);
    expect(await listWorkDirectories(root)).toEqual([]);
  });

  it('is removed where a killed process left it empty, before or after its mark', async () => {
    const path = join(root, 'run-1');
    await mkdir(path);
    await removeWorkDirectory(path);
    expect(await readdir(root)).toEqual([]);
  });

  it('counts as removed where there is none', async () => {
    await expect(removeWorkDirectory(join(root, 'gone'))).resolves.toBeUndefined();
  });

  it('can still be removed where a crash cut its marker short', async () => {
    const path = join(root, 'run-1');
    await mkdir(path);
    await writeFile(join(path, '.lathe-work.json'), '{"createdB');
    expect(await listWorkDirectories(root)).toHaveLength(1);
    await removeWorkDirectory(path);
    expect(await readdir(root)).toEqual([]);
  });
});
