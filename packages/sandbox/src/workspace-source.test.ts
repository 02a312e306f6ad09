import { chmod, lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { edit, LIMITS, type PlaygroundOptions, playground, put } from './__fixtures__/checkout.ts';
import { type CopyStrategy, detectIsolation, type FileEdit, type WorkspaceSourceOptions } from './index.ts';

const isolation = await detectIsolation();

/** One contract, however copies are made and commands are run. */
const ways: [name: string, options: Partial<WorkspaceSourceOptions>, available: boolean, strategy: CopyStrategy][] = [
  ['sandboxed, overlay', { copyStrategy: 'overlay' }, isolation.available && isolation.overlay, 'overlay'],
  ['sandboxed, dependencies bound', { copyStrategy: 'bound' }, isolation.available, 'bound'],
  ['sandboxed, full copy', { copyStrategy: 'full' }, isolation.available, 'full'],
  ['no sandbox, full copy', { unsafeNoSandbox: true }, true, 'full'],
];

for (const [name, way, available, strategy] of ways) {
  const why = available ? '' : ' (skipped: not to be had here, see `lathe doctor`)';
  describe.skipIf(!available)(`a copy: ${name}${why}`, () => {
    const withWay = (options: PlaygroundOptions = {}) => playground({ ...options, ...way });

    it('shows the base, runs commands in its root and keeps what they write for the next', async () => {
      await using ground = await withWay({ files: { 'a.txt': 'one\n', 'dir/b.txt': 'two\n' } });
      const workspace = await ground.source.open('c1');
      const first = await workspace.run('cat a.txt dir/b.txt && echo three > c.txt', { limits: LIMITS });
      expect(first).toMatchObject({ ending: 'exited', exitCode: 0, outputTail: 'one\ntwo\n' });
      expect((await workspace.run('cat c.txt', { limits: LIMITS })).outputTail).toBe('three\n');
      expect(await readdir(ground.base)).toEqual(['a.txt', 'dir']);
      expect(await readdir(ground.checkout)).toEqual(['a.txt', 'dir']);
    });

    it('keeps stdout and stderr in the order they were written', async () => {
      await using ground = await withWay();
      const result = await ground.run('echo 1; echo 2 >&2; echo 3; echo 4 >&2; exit 5');
      expect(result).toMatchObject({ ending: 'exited', exitCode: 5, outputTail: '1\n2\n3\n4\n' });
    });

    it('tells a signal as 128 + its number', async () => {
      await using ground = await withWay();
      expect(await ground.run("sh -c 'kill -TERM $$'; exit $?")).toMatchObject({ ending: 'exited', exitCode: 143 });
    });

    it('does not wait for input', async () => {
      await using ground = await withWay();
      expect(await ground.run('cat; echo end')).toMatchObject({ exitCode: 0, outputTail: 'end\n' });
    });

    it('lays edits over the base: new, changed, executable, link, deleted', async () => {
      await using ground = await withWay({ files: { 'a.txt': 'one\n', 'dir/b.txt': 'two\n', 'dir/c.txt': 'three\n' } });
      const workspace = await ground.source.open('c1');
      const edits = [
        edit('a.txt', 'changed\n'),
        edit('dir/b.txt', null),
        edit('link', 'a.txt', '120000'),
        edit('new/deep/x.sh', 'echo ran', '100755'),
      ];
      await workspace.write(edits);
      const result = await workspace.run('cat link; ls dir; new/deep/x.sh', { limits: LIMITS });
      expect(result.outputTail).toBe('changed\nc.txt\nran\n');
      expect(await workspace.changes()).toEqual(edits);
      expect(await readFile(join(ground.base, 'a.txt'), 'utf8')).toBe('one\n');
    });

    it('lets a file take the place of a directory, and the other way round', async () => {
      await using ground = await withWay({ files: { file: 'f', 'dir/a': 'a', 'dir/sub/b': 'b' } });
      const workspace = await ground.source.open('c1');
      const edits = [
        edit('dir', 'now a file'),
        edit('dir/a', null),
        edit('dir/sub/b', null),
        edit('file', null),
        edit('file/inside', 'now a directory'),
      ];
      await workspace.write(edits);
      const result = await workspace.run('cat dir file/inside', { limits: LIMITS });
      expect(result.outputTail).toBe('now a filenow a directory');
      expect(await workspace.changes()).toEqual(edits);
    });

    it('refuses to put a file over a directory that has files, or to delete a directory', async () => {
      await using ground = await withWay({ files: { 'dir/a': 'a' } });
      const workspace = await ground.source.open('c1');
      await expect(workspace.write([edit('dir', 'x')])).rejects.toMatchObject({ code: 'LATHE_EDIT_REFUSED' });
      await expect(workspace.write([edit('dir', null)])).rejects.toMatchObject({ code: 'LATHE_EDIT_REFUSED' });
      await expect(workspace.write([edit('dir/a/b', 'x')])).rejects.toMatchObject({ code: 'LATHE_EDIT_REFUSED' });
    });

    it('does not bring back what was in a directory that the copy removed', async () => {
      await using ground = await withWay({ files: { 'dir/a': 'a', 'dir/b': 'b' } });
      const workspace = await ground.source.open('c1');
      await workspace.run('rm -r dir', { limits: LIMITS });
      await workspace.write([edit('dir/c', 'c')]);
      expect((await workspace.run('ls dir', { limits: LIMITS })).outputTail).toBe('c\n');
      expect(await workspace.changes()).toEqual([edit('dir/a', null), edit('dir/b', null), edit('dir/c', 'c')]);
    });

    it('reports what a command changed, and nothing that only looks changed', async () => {
      await using ground = await withWay({
        files: {
          'same.txt': 'same\n',
          'mode.sh': 'x',
          'gone/a': 'a',
          'gone/b/c': 'c',
          'redone/a': 'a',
          'redone/b': 'b',
          'to-link': 'x',
        },
      });
      const workspace = await ground.source.open('c1');
      const command = `echo same > same.txt; touch same.txt; chmod +x mode.sh; rm -r gone; rm -r redone; mkdir redone;
        echo -n a > redone/a; echo -n n > redone/n; ln -sf nowhere to-link; mkdir -p empty/dir; echo -n ü > 'naïve file'`;
      expect(await workspace.run(command, { limits: LIMITS })).toMatchObject({ exitCode: 0 });
      const expected: FileEdit[] = [
        edit('gone/a', null),
        edit('gone/b/c', null),
        edit('mode.sh', 'x', '100755'),
        edit('naïve file', 'ü'),
        edit('redone/b', null),
        edit('redone/n', 'n'),
        edit('to-link', 'nowhere', '120000'),
      ];
      expect(await workspace.changes()).toEqual(expected);
    });

    it('leaves ignored files out of the changes as git would', async () => {
      await using ground = await withWay({
        files: {
          '.gitignore': '*.log\n/build/\n!keep.log\n',
          'tracked.log': 'tracked\n',
          'sub/.gitignore': '!wanted.log\nsecret\n',
        },
        excludeRules: '.idea/\n',
      });
      const workspace = await ground.source.open('c1');
      const command =
        `mkdir -p build sub/build sub/deep .idea; for f in a.log keep.log build/x sub/build/x sub/wanted.log
        sub/deep/other.log sub/deep/secret secret .idea/x tracked.log; do echo -n new > $f; done`.replace('\n', ' ');
      expect(await workspace.run(command, { limits: LIMITS })).toMatchObject({ exitCode: 0 });
      const changed = (await workspace.changes()).map(({ path }) => path);
      expect(changed).toEqual(['keep.log', 'secret', 'sub/build/x', 'sub/wanted.log', 'tracked.log']);
    });

    it('has the dependencies of the checkout, and its own packages behind their links', async () => {
      await using ground = await withWay({
        files: { 'packages/y/index.js': 'module.exports = "base";\n' },
        untracked: {
          'node_modules/dep/index.js': 'module.exports = "dep";\n',
          'packages/y/node_modules/inner/index.js': 'module.exports = "inner";\n',
          'packages/y/index.js': 'module.exports = "uncommitted in the checkout";\n',
        },
        ignored: ['node_modules/', 'packages/y/node_modules/inner/index.js'],
        arrange: async (_, checkout) => {
          await mkdir(join(checkout, 'node_modules/@x'), { recursive: true });
          await symlink('../../packages/y', join(checkout, 'node_modules/@x/y'));
        },
      });
      const workspace = await ground.source.open('c1');
      await workspace.write([edit('packages/y/index.js', 'module.exports = "edited " + require("inner");\n')]);
      const result = await workspace.run(`node -e 'console.log(require("dep"), require("@x/y"))'`, { limits: LIMITS });
      expect(result.outputTail).toBe('dep edited inner\n');
    });

    it('has the files that .worktreeinclude names, where git really ignores them', async () => {
      await using ground = await withWay({
        files: {
          '.worktreeinclude': '.env\nconfig/*.local\n!config/not.local\ntracked.txt\n',
          'tracked.txt': 'base\n',
        },
        untracked: {
          '.env': 'A=1\n',
          'tracked.txt': 'uncommitted\n',
          'config/a.local': 'a\n',
          'config/not.local': 'n\n',
          'config/other': 'o\n',
          'sub/.env': 'B=2\n',
          'unlisted.env': 'C=3\n',
        },
        ignored: ['.env', 'config/', 'sub/.env', 'unlisted.env'],
      });
      const workspace = await ground.source.open('c1');
      const result = await workspace.run('cat .env config/* sub/.env tracked.txt; ls -A', { limits: LIMITS });
      expect(result.outputTail).toBe('A=1\na\nB=2\nbase\n.env\n.worktreeinclude\nconfig\nsub\ntracked.txt\n');
      await workspace.run('echo changed > .env', { limits: LIMITS });
      expect(await workspace.changes()).toEqual([]);
      expect(await readFile(join(ground.checkout, '.env'), 'utf8')).toBe('A=1\n');
    });

    it('keeps modes and links of the base', async () => {
      await using ground = await withWay({
        files: { 'run.sh': 'echo ran\n' },
        arrange: async (base) => {
          await chmod(join(base, 'run.sh'), 0o755);
          await symlink('run.sh', join(base, 'alias'));
        },
      });
      expect((await ground.run('./alias; readlink alias')).outputTail).toBe('ran\nrun.sh\n');
    });

    it('talks to a command that is started, and counts what it says', async () => {
      await using ground = await withWay();
      const workspace = await ground.source.open('c1');
      const session = await workspace.start('echo warned >&2; while read line; do echo "got $line"; done; exit 3', {
        limits: LIMITS,
      });
      session.stdin.write('hello\n');
      session.stdin.end('world\n');
      const said = (await session.stdout.toArray()).map(String).join('');
      expect(said).toBe('got hello\ngot world\n');
      expect(await session.result).toMatchObject({ ending: 'exited', exitCode: 3, outputTail: 'warned\n' });
    });

    it('runs commands of one copy one after the other, and those of two side by side', async () => {
      await using ground = await withWay();
      const workspace = await ground.source.open('c1');
      const append = (word: string) =>
        workspace.run(`echo start >> log; sleep 0.1; echo ${word} >> log`, { limits: LIMITS });
      await Promise.all([append('one'), append('two'), workspace.write([edit('x', 'x')])]);
      expect((await workspace.run('cat log x', { limits: LIMITS })).outputTail).toBe('start\none\nstart\ntwo\nx');
    });

    it('ends what runs when it is closed, leaves nothing, and can be closed twice', async () => {
      await using ground = await withWay();
      const workspace = await ground.source.open('c1');
      const running = workspace.run('sleep 60', { limits: LIMITS });
      await workspace.run;
      await Promise.all([workspace.close(), workspace.close()]);
      expect(await running).toMatchObject({ ending: 'cancelled' });
      expect(await readdir(join(ground.work, 'copies'))).toEqual([]);
      await expect(workspace.run('true', { limits: LIMITS })).rejects.toMatchObject({ code: 'LATHE_WORKSPACE_CLOSED' });
    });

    it('starts anew from the base where a copy of that name was left behind', async () => {
      await using ground = await withWay();
      await put(join(ground.work, 'copies/c1/merged/stale'), 'x');
      await put(join(ground.work, 'copies/c1/upper/stale'), 'x');
      const workspace = await ground.source.open('c1');
      expect((await workspace.run('ls', { limits: LIMITS })).outputTail).toBe('readme.md\n');
    });

    it('says in words how candidates are isolated', async () => {
      await using ground = await withWay();
      const copy = {
        overlay: 'overlay copy',
        bound: 'copied tree, dependencies bound read-only',
        full: 'copied tree and dependencies',
      };
      const runner = way.unsafeNoSandbox
        ? 'no isolation (ordinary processes of the user, network open)'
        : 'bubblewrap, no network';
      expect(ground.source.isolation).toBe(`${runner}, ${copy[strategy]}`);
    });
  });
}

describe.skipIf(!isolation.available)('a sandboxed copy', () => {
  it("appears at the checkout's own path, so that absolute paths in dependencies lead to the copy", async () => {
    await using ground = await playground({ files: { 'a.js': 'base' } });
    expect((await ground.run('pwd')).outputTail).toBe(`${ground.checkout}\n`);
  });

  it('runs the scripts of a virtual environment', async () => {
    await using ground = await playground({
      ignored: ['.venv/'],
      arrange: async (_, checkout) => {
        await mkdir(join(checkout, '.venv/bin'), { recursive: true });
        await writeFile(join(checkout, '.venv/pyvenv.cfg'), 'home = /usr/bin\n');
        await symlink('/usr/bin/python3', join(checkout, '.venv/bin/python'));
        const script = `#!${join(checkout, '.venv/bin/python').replaceAll(' ', '\\ ')}\n`;
        await put(
          join(checkout, '.venv/bin/where'),
          `#!/bin/sh\n# ${script}exec "$(dirname "$0")/python" -c "import sys; print(sys.prefix)"\n`,
        );
        await chmod(join(checkout, '.venv/bin/where'), 0o755);
      },
    });
    expect((await ground.run('where')).outputTail).toBe(`${ground.checkout}/.venv\n`);
  });

  it('reaches the network and more files only where access says so', async () => {
    await using ground = await playground();
    const shown = join(ground.root, 'settings');
    await put(join(shown, 'agent.json'), '{}');
    const source = ground.source.withAccess({ network: 'host', readOnly: [shown], environment: { AGENT_HOME: shown } });
    expect(source.isolation).toContain('with network');
    const workspace = await source.open('agent');
    const result = await workspace.run(
      'cat $AGENT_HOME/agent.json && ! touch $AGENT_HOME/x; ls /sys 2>&1; wc -l < /proc/net/dev',
      { limits: LIMITS },
    );
    expect(result.outputTail).toMatch(/^\{\}touch: .*Read-only file system/);
    const own = await ground.run('wc -l < /proc/net/dev');
    expect(own.outputTail.trim()).toBe('3');
    expect(Number(result.outputTail.trim().split('\n').at(-1))).toBe(
      (await readFile('/proc/net/dev', 'utf8')).trim().split('\n').length,
    );
  });

  it('cannot write to bound dependencies where there is no overlay for them', async () => {
    await using ground = await playground({
      copyStrategy: 'bound',
      untracked: { 'node_modules/d/x': 'x' },
      ignored: ['node_modules/'],
    });
    expect((await ground.run('echo y > node_modules/d/x')).outputTail).toContain('Read-only file system');
  });

  it('refuses edits of dependencies', async () => {
    await using ground = await playground({ untracked: { 'node_modules/d/x': 'x' }, ignored: ['node_modules/'] });
    const workspace = await ground.source.open('c1');
    await expect(workspace.write([edit('node_modules/d/x', 'y')])).rejects.toMatchObject({
      code: 'LATHE_EDIT_REFUSED',
    });
  });

  it("leaves the checkout's links to dependencies elsewhere usable", async () => {
    await using ground = await playground({
      ignored: ['node_modules'],
      arrange: async (_, checkout) => {
        await put(join(checkout, '../shared-modules/d/index.js'), 'module.exports = "shared";');
        await symlink('../shared-modules', join(checkout, 'node_modules'));
      },
    });
    const workspace = await ground.source.open('c1');
    const result = await workspace.run(`node -p 'require("d")' && echo x > node_modules/d/index.js`, {
      limits: LIMITS,
    });
    expect(result).toMatchObject({ exitCode: 0, outputTail: 'shared\n' });
    expect(await readFile(join(ground.root, 'shared-modules/d/index.js'), 'utf8')).toContain('shared');
    expect(await readlink(join(ground.checkout, 'node_modules'))).toBe('../shared-modules');
    expect((await lstat(join(ground.work, 'included/node_modules'))).isDirectory()).toBe(true);
  });

  it('names a set-up that fails, with a remedy, instead of calling it a failed check', async () => {
    await using ground = await playground();
    const workspace = await ground.source.open('c1');
    await put(join(ground.work, 'etc/passwd/not-a-file'), '').catch(() => {});
    const { rm } = await import('node:fs/promises');
    await rm(join(ground.work, 'etc/passwd'));
    await expect(workspace.run('true', { limits: LIMITS })).rejects.toMatchObject({
      code: 'LATHE_SANDBOX_SETUP',
      remedy: 'lathe doctor',
    });
  });
});
