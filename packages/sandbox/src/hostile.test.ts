/**
 * What a hostile candidate tries, one property a test.
 *
 * Covered: time, memory (resident, and the ways to hide it that the filter closes), processes, disk, output, network, unix
 * sockets, the user's files and environment, other processes, mounts, the machine's settings under /proc/sys, dependencies,
 * other candidates, daemons, and what a candidate leaves behind for Lathe to trip over.
 *
 * Not covered: holes in the kernel; side channels between candidates and the host; a fair share of the processor beyond
 * nice 10; socket buffers and other kernel memory; what is overshot between two looks (50 ms for memory and processes,
 * 250 ms for disk). Under root without a writable `pids` control group, processes are only counted from outside.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type ListenOptions } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { edit, LIMITS, type Playground, playground, processesWith, put } from './__fixtures__/checkout.ts';
import { detectIsolation, removeWorkDirectory } from './index.ts';

/** In the arguments of processes a test looks for, so that another run of the tests is not taken for this one. */
const PID = process.pid;

const isolation = await detectIsolation();
const missing = isolation.parts
  .filter((part) => part.required && !part.ok)
  .map((part) => `${part.name}: ${part.detail}`);

describe.skipIf(!isolation.available)(
  `a hostile candidate${missing.map((why) => ` (skipped: ${why})`).join('')}`,
  () => {
    let ground: Playground;
    beforeAll(async () => {
      ground = await playground({
        files: { 'readme.md': 'base\n', 'src/a.js': 'export {};\n' },
        untracked: { 'node_modules/dep/index.js': 'module.exports = "original";\n', '.git/config': '[core]\n' },
        ignored: ['node_modules/'],
        arrange: async (base) => symlink('/etc', join(base, 'outside')),
      });
    });
    afterAll(async () => ground[Symbol.asyncDispose]());

    describe('that takes more than its share', () => {
      it('loops forever: is ended when its time is over', async () => {
        const result = await ground.run('while :; do :; done', { timeMs: 300 });
        expect(result).toMatchObject({ ending: 'timed-out', exitCode: null });
      });

      it('is a fork bomb: is ended, and nothing of it is left', async () => {
        const result = await ground.run(`sleep 31.${PID} & f() { f & f & sleep 31.${PID}; }; f & wait`, {
          processes: 64,
        });
        expect(result).toMatchObject({ ending: 'processes', exitCode: null });
        expect(await processesWith(`31.${PID}`)).toEqual([]);
      });

      it('allocates memory: is ended', async () => {
        const result = await ground.run('tail /dev/zero', { memoryBytes: 128 * 2 ** 20 });
        expect(result).toMatchObject({ ending: 'memory', exitCode: null });
        expect(result.peakMemoryBytes).toBeGreaterThan(128 * 2 ** 20);
      });

      it('allocates memory in many small processes: the sum counts', async () => {
        const hold = `node -e 'globalThis.x = Buffer.alloc(60 * 2 ** 20, 1); setTimeout(() => {}, 30000)' &`;
        const result = await ground.run(`${hold.repeat(4)} wait`, { memoryBytes: 256 * 2 ** 20 });
        expect(result.ending).toBe('memory');
      });

      it('hides memory in a memfd: there is none to be had', async () => {
        const result = await ground.run(`python3 -c 'import os; os.memfd_create("hoard")'`);
        expect(result.exitCode).not.toBe(0);
        expect(result.outputTail).toContain('Function not implemented');
      });

      it('hides memory in a System V segment: only small ones can be had', async () => {
        const get = (bytes: number) =>
          `python3 -c 'import ctypes; print("id", ctypes.CDLL(None).shmget(0, ctypes.c_size_t(${bytes}), 0o1600))'`;
        expect((await ground.run(get(2 ** 30))).outputTail).toContain('id -1');
        expect((await ground.run(get(4096))).outputTail).not.toContain('id -1');
      });

      it('fills the disk through its copy with many files: is ended', async () => {
        const fill = 'i=0; while :; do head -c 1000000 /dev/zero > "f$i"; i=$((i+1)); done';
        expect(await ground.run(fill, { diskBytes: 8 * 2 ** 20 })).toMatchObject({ ending: 'disk', exitCode: null });
      });

      it('fills the disk through its copy with one file: is ended before it is much larger than the limit', async () => {
        const workspace = await ground.source.open('one-big-file');
        const limits = { ...LIMITS, diskBytes: 8 * 2 ** 20 };
        expect(await workspace.run('cat /dev/zero > big', { limits })).toMatchObject({ ending: 'disk' });
        const size = await workspace.run('stat -c %s big', { limits: LIMITS });
        expect(Number(size.outputTail)).toBeLessThanOrEqual(9 * 2 ** 20);
      });

      it('fills the disk with empty files: each counts as a block', async () => {
        const fill = `python3 -c 'import itertools
for i in itertools.count(): open(f"e{i}", "w").close()'`;
        expect(await ground.run(fill, { diskBytes: 4 * 2 ** 20 })).toMatchObject({ ending: 'disk' });
      });

      it.each(['/tmp', '/dev/shm', '$HOME', '/var/tmp'])(
        'fills %s: there is no more than its allowance',
        async (place) => {
          const fill = `cd ${place} && i=0; while head -c 1000000 /dev/zero > "f$i"; do i=$((i+1)); done; echo "stopped at $i"`;
          const result = await ground.run(fill, { diskBytes: 8 * 2 ** 20 });
          expect(result.outputTail).toContain('No space left on device');
          expect(Number(/stopped at (\d+)/.exec(result.outputTail)?.[1])).toBeLessThanOrEqual(9);
        },
      );

      it.each(['/', '/etc', '/dev', '/usr/bin', '/home'])('writes to %s: it is read-only', async (place) => {
        const result = await ground.run(`echo x > ${place}/planted`);
        expect(result.exitCode).not.toBe(0);
        expect(result.outputTail).toMatch(/Read-only file system|Permission denied/);
      });

      it('floods its output: is ended, and only the end is kept', async () => {
        const result = await ground.run('yes 0123456789', { outputBytes: 200_000 });
        expect(result).toMatchObject({ ending: 'output', exitCode: null });
        expect(Buffer.byteLength(result.outputTail)).toBeLessThanOrEqual(16 * 1024);
        expect(result.outputTail).toContain('0123456789');
      });

      it('prints bytes that are no text: the record is text all the same', async () => {
        const result = await ground.run('head -c 100000 /dev/urandom');
        expect(result.ending).toBe('exited');
        expect(Buffer.byteLength(result.outputTail)).toBeLessThanOrEqual(16 * 1024);
        expect(result.outputTail.isWellFormed()).toBe(true);
      });
    });

    describe('that wants out', () => {
      it('connects to a server on the host: there is no network', async () => {
        await using server = await listening({ port: 0, host: '127.0.0.1' });
        const { port } = server.address() as { port: number };
        const result = await ground.run(connect(`{ host: '127.0.0.1', port: ${port} }`));
        expect(result.outputTail).toContain('ECONNREFUSED');
        expect(server.connections()).toBe(0);
      });

      it('connects to a unix socket of the host: it is not there', async () => {
        const path = join(ground.root, 'docker.sock');
        await using server = await listening({ path });
        const result = await ground.run(connect(`{ path: ${JSON.stringify(path)} }`));
        expect(result.outputTail).toContain('ENOENT');
        expect(server.connections()).toBe(0);
        expect((await ground.run('ls /run /var/run')).exitCode).not.toBe(0);
      });

      it('asks for a name on the network: nobody answers', async () => {
        const result = await ground.run(`node -e 'require("dns").lookup("example.com", (e) => console.log(e.code))'`);
        expect(result.outputTail).toMatch(/EAI_AGAIN|ENOTFOUND/);
      });

      it('serves on its own loopback: that works, and two candidates may take the same port', async () => {
        const serve = `node -e 'const s = require("net").createServer((c) => c.end("hello")).listen(4711, "127.0.0.1", () =>
        require("net").connect(4711).on("data", (d) => { console.log(String(d)); setTimeout(() => s.close(), 300); }))'`;
        const results = await Promise.all([ground.run(serve), ground.run(serve)]);
        expect(results.map(({ outputTail, exitCode }) => ({ outputTail, exitCode }))).toEqual([
          { outputTail: 'hello\n', exitCode: 0 },
          { outputTail: 'hello\n', exitCode: 0 },
        ]);
      });

      it("reads the user's files: they are not there", async () => {
        const home = homedir();
        const result = await ground.run(
          `cat ${home}/.ssh/* ${home}/.gitconfig ${home}/.npmrc ${home}/.bash_history /etc/shadow '${ground.root}/exported/readme.md' && echo LEAK`,
        );
        expect(result.exitCode).not.toBe(0);
        expect(result.outputTail).not.toContain('LEAK');
        expect(result.outputTail.match(/No such file/g)).toHaveLength(6);
      });

      it('reads secrets from the environment: it has its own', async () => {
        process.env.LATHE_TEST_SECRET_TOKEN = 'hunter2';
        try {
          const result = await ground.run('env; cat /proc/*/environ | tr "\\0" "\\n"');
          expect(result.outputTail).toContain('HOME=/home/candidate');
          expect(result.outputTail).not.toContain('hunter2');
        } finally {
          delete process.env.LATHE_TEST_SECRET_TOKEN;
        }
      });

      it('reads what the process that started Lathe left open: it is closed', async () => {
        const secret = join(ground.root, 'left-open');
        await writeFile(secret, 'hunter2');
        const file = await open(secret);
        const owner = fileURLToPath(new URL('./__fixtures__/owner.ts', import.meta.url));
        const args = [owner, ground.base, ground.checkout, join(ground.root, 'other-work'), 'ls -l /proc/self/fd'];
        const stdio = Array.from(
          { length: 42 },
          (_, i) => (i === 41 ? file.fd : i === 1 ? 'pipe' : 'ignore') as 'pipe',
        );
        const child = spawn(process.execPath, args, { stdio });
        const said = (await child.stdout!.toArray()).map(String).join('');
        await file.close();
        await removeWorkDirectory(join(ground.root, 'other-work'));
        expect(said).toContain('ended with 0');
        expect(said).not.toContain('left-open');
      });

      it("reads or adds keys in the user's keyrings: the kernel refuses", async () => {
        // keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0); the number is that of x86-64 or arm64.
        const number = process.arch === 'arm64' ? 219 : 250;
        const ask = `python3 -c 'import ctypes, os; libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(${number}, 0, -4, 0), os.strerror(ctypes.get_errno()))'`;
        expect((await ground.run(ask)).outputTail).toBe('-1 Operation not permitted\n');
      });

      it('sees other processes: only its own', async () => {
        const result = await ground.run('ls -d /proc/[0-9]* | wc -l');
        expect(Number(result.outputTail)).toBeLessThan(10);
      });

      it('kills its parents and everything it can name: only its own processes go', async () => {
        const before = process.ppid;
        const result = await ground.run('kill -9 1; kill -9 $PPID; kill -9 -1; kill -9 0');
        expect(result.ending).toBe('exited');
        expect(result.exitCode).not.toBe(0);
        expect(process.ppid).toBe(before);
        expect((await ground.run('echo alive')).outputTail).toBe('alive\n');
      });

      it.each([
        ['remounts the system writable', 'mount -o remount,rw,bind /usr'],
        ['mounts something over it', 'mount -t tmpfs tmpfs /usr'],
        ['unmounts what covers it', 'umount -l /proc/sys'],
        ['becomes root of a new namespace', 'unshare --user --map-root-user true'],
        ['takes another user id', 'setpriv --reuid 0 true'],
        ['makes a device', 'mknod disk b 254 0'],
        ['opens its program to everyone', 'chmod 777 /usr/bin/env'],
        ['changes a setting of the machine', 'p=/proc/sys/kernel/core_pattern; v=$(cat $p); printf %s "$v" > $p'],
        ['leaves through the root of another process', 'ls /proc/1/root/root/.ssh'],
      ])('%s: is refused', async (_, command) => {
        const result = await ground.run(command);
        expect(result.ending).toBe('exited');
        expect(result.exitCode).not.toBe(0);
      });

      it('has no capability and cannot gain one', async () => {
        const { outputTail } = await ground.run('grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status; id -u');
        expect(outputTail.match(/^Cap\w+:\s+0{16}$/gm)).toHaveLength(5);
        expect(outputTail).toMatch(/NoNewPrivs:\s+1/);
        expect(outputTail).toMatch(/Seccomp:\s+2/);
        expect(outputTail).toMatch(/^1000$/m);
      });
    });

    describe('that wants to stay', () => {
      it.each([
        ['a background job', `sleep 27.${PID} &`],
        ['a daemon in a session of its own', `setsid sleep 27.${PID} >/dev/null 2>&1 </dev/null &`],
        ['a daemon that ignores hang-up', `nohup setsid sh -c "trap : HUP TERM; sleep 27.${PID}" >/dev/null 2>&1 &`],
      ])('starts %s: it ends with the command', async (_, command) => {
        expect(await ground.run(`${command} echo started`)).toMatchObject({ ending: 'exited', exitCode: 0 });
        expect(await processesWith(`27.${PID}`)).toEqual([]);
      });

      it('starts daemons and never ends: all end with it', async () => {
        const command = `setsid sleep 27.${PID} & setsid setsid sleep 27.${PID} & sleep 27.${PID}`;
        expect(await ground.run(command, { timeMs: 300 })).toMatchObject({ ending: 'timed-out' });
        expect(await processesWith(`27.${PID}`)).toEqual([]);
      });

      it('is cancelled: all of it ends', async () => {
        const workspace = await ground.source.open('cancelled');
        const signal = AbortSignal.timeout(200);
        const result = await workspace.run(`setsid sleep 27.${PID} & sleep 27.${PID}`, { limits: LIMITS, signal });
        expect(result).toMatchObject({ ending: 'cancelled', exitCode: null });
        expect(await processesWith(`27.${PID}`)).toEqual([]);
      });

      it('plants git hooks and settings: there was no .git, and none comes out', async () => {
        const workspace = await ground.source.open('git');
        expect((await workspace.run('ls -d .git', { limits: LIMITS })).exitCode).not.toBe(0);
        const plant = `mkdir -p .git/hooks src/.git && printf '[core]\\nfsmonitor = touch /tmp/owned\\n' > .git/config &&
        printf '#!/bin/sh\\n' > .git/hooks/post-checkout && echo x > src/.git/config && echo y > src/b.js`;
        expect((await workspace.run(plant, { limits: LIMITS })).exitCode).toBe(0);
        expect((await workspace.changes()).map(({ path }) => path)).toEqual(['src/b.js']);
        expect(await readFile(join(ground.checkout, '.git/config'), 'utf8')).toBe('[core]\n');
      });

      it('changes dependencies: its own see it, the checkout and other candidates do not', async () => {
        const workspace = await ground.source.open('dependencies');
        const change =
          'echo "module.exports = 1" > node_modules/dep/index.js; rm -rf node_modules/.bin; mkdir node_modules/.cache';
        await workspace.run(change, { limits: LIMITS });
        const read = `node -e 'console.log(require("dep"))'`;
        expect((await workspace.run(read, { limits: LIMITS })).outputTail).toBe('1\n');
        expect((await ground.run(read)).outputTail).toBe('original\n');
        expect(await readdir(join(ground.checkout, 'node_modules'))).toEqual(['dep']);
        expect(await readFile(join(ground.checkout, 'node_modules/dep/index.js'), 'utf8')).toContain('original');
        expect(await workspace.changes()).toEqual([]);
      });

      it('disturbs the others: one that behaves passes beside one that does all of it', async () => {
        const bomb = 'f() { f & f & sleep 5; }; sleep 5 & f & tail /dev/zero & yes & wait';
        const hostile = ground.run(bomb, { processes: 100, memoryBytes: 200 * 2 ** 20, timeMs: 2_000 });
        const good = await ground.run(
          `node -e 'let n = 0; for (let i = 0; i < 1e7; i++) n += i % 7; console.log(n)'; ls`,
        );
        expect(good).toMatchObject({ ending: 'exited', exitCode: 0 });
        expect(good.outputTail).toBe('29999994\nnode_modules\noutside\nreadme.md\nsrc\n');
        expect((await hostile).ending).not.toBe('exited');
      });
    });

    describe('that sets traps', () => {
      it('puts a link into the way of an edit: the edit is refused', async () => {
        const workspace = await ground.source.open('link-in-the-way');
        const target = join(ground.root, 'target');
        await mkdir(target, { recursive: true });
        await workspace.run(`rm -r src && ln -s '${target}' src`, { limits: LIMITS });
        await expect(workspace.write([edit('src/a.js', 'owned')])).rejects.toMatchObject({
          code: 'LATHE_EDIT_REFUSED',
        });
        expect(await readdir(target)).toEqual([]);
      });

      it('puts a link in the place of a file: an edit replaces the link, not what it leads to', async () => {
        const workspace = await ground.source.open('link-as-file');
        const target = join(ground.root, 'precious');
        await writeFile(target, 'precious');
        await workspace.run(`ln -sf '${target}' readme.md`, { limits: LIMITS });
        await workspace.write([edit('readme.md', 'edited')]);
        expect(await readFile(target, 'utf8')).toBe('precious');
        expect((await workspace.run('cat readme.md', { limits: LIMITS })).outputTail).toBe('edited');
      });

      it.each([
        '../x',
        '/etc/x',
        'a/../../x',
        '.git/hooks/pre-commit',
        'src/.GIT/config',
        'outside/passwd',
        'a//b',
        '',
      ])('names the path %j: the edit is refused', async (path) => {
        const workspace = await ground.source.open('paths');
        await expect(workspace.write([edit(path, 'x')])).rejects.toMatchObject({ code: 'LATHE_EDIT_REFUSED' });
        await workspace.close();
      });

      it("lays a link where its changes are read: the link is reported, not the host's file", async () => {
        const workspace = await ground.source.open('link-in-changes');
        await workspace.run('ln -s /etc/passwd src/stolen; rm readme.md; ln -s / readme.md', { limits: LIMITS });
        expect(await workspace.changes()).toEqual([
          edit('readme.md', '/', '120000'),
          edit('src/stolen', '/etc/passwd', '120000'),
        ]);
      });

      it('leaves pipes and sockets: reading its changes does not wait for them', async () => {
        const workspace = await ground.source.open('pipes');
        await workspace.run(
          `mkfifo src/pipe; mkfifo .gitignore; node -e 'require("net").createServer().listen("s", () => process.exit())'; echo 1 > c`,
          { limits: LIMITS },
        );
        expect(await workspace.changes()).toEqual([edit('c', '1\n')]);
      });

      it('leads a dependency mount astray with a link: the next command goes without those dependencies', async () => {
        await using own = await playground({
          files: { 'packages/a/x.js': '' },
          untracked: { 'packages/a/node_modules/d/index.js': 'module.exports = 1' },
          ignored: ['packages/a/node_modules/'],
        });
        const workspace = await own.source.open('astray');
        expect((await workspace.run('ls packages/a/node_modules', { limits: LIMITS })).outputTail).toBe('d\n');
        await put(join(own.root, 'elsewhere/a/node_modules/keep'), '');
        await workspace.run(`mv packages/a/x.js . ; umount packages/a/node_modules; rm -rf packages/a packages`, {
          limits: LIMITS,
        });
        await workspace.write([edit('x.js', null)]);
        // From outside, since the mount point cannot be removed from inside.
        await rm(join(own.work, 'copies/astray/upper/packages'), { recursive: true, force: true });
        await symlink(join(own.root, 'elsewhere'), join(own.work, 'copies/astray/upper/packages'));
        const result = await workspace.run('readlink packages; ls packages/', { limits: LIMITS });
        expect(result.outputTail).toContain('elsewhere');
        expect(await readdir(join(own.root, 'elsewhere/a/node_modules'))).toEqual(['keep']);
      });

      it('leaves directories that cannot be read or named: they are measured and removed all the same', async () => {
        const workspace = await ground.source.open('deep');
        const dig = `python3 -c 'import os
for i in range(400):
    os.mkdir("d" * 200); os.chdir("d" * 200)
open("end", "w").write("x" * 9000000)' && mkdir closed && head -c 9000000 /dev/zero > closed/file && chmod 0 closed`;
        const result = await workspace.run(dig, { limits: { ...LIMITS, diskBytes: 16 * 2 ** 20 } });
        expect(result.ending).toBe('disk');
        await workspace.close();
        await expect(lstat(join(ground.work, 'copies/deep'))).rejects.toMatchObject({ code: 'ENOENT' });
      });
    });
  },
);

function connect(to: string): string {
  return `node -e "require('net').connect(${to.replaceAll('"', '\\"')}).on('connect', () => console.log('CONNECTED')).on('error', (e) => console.log(e.code))"`;
}

/** A server that counts who comes. */
async function listening(where: ListenOptions) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await once(server.listen(where), 'listening');
  return {
    address: () => server.address(),
    connections: () => connections,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}
