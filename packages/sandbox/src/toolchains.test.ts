import { chmod, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { put } from './__fixtures__/checkout.ts';
import { findToolchains } from './toolchains.ts';

describe('findToolchains', () => {
  let home: string;
  beforeEach(async () => {
    home = await realpath(await mkdtemp(join(tmpdir(), 'lathe-home-')));
  });
  afterEach(async () => rm(home, { recursive: true, force: true }));

  const program = async (path: string) => {
    await put(join(home, path), '#!/bin/sh\n');
    await chmod(join(home, path), 0o755);
  };
  const find = (path: string[], nodePath = '/usr/bin/node') =>
    findToolchains({
      path: path.map((entry) => (entry.startsWith('/') ? entry : join(home, entry))).join(':'),
      home,
      nodePath,
      checkoutDirectory: join(home, 'project'),
    });

  it("shows nothing of the home directory where the system's programs do", () => {
    expect(find(['/usr/local/bin', '/usr/bin']).readOnly).toEqual([]);
  });

  it('shows the installation a version manager put into the home directory, and only that version', async () => {
    await program('.nvm/versions/node/v24.0.0/bin/node');
    await put(join(home, '.nvm/versions/node/v24.0.0/lib/x'), '');
    await program('.nvm/versions/node/v20.0.0/bin/node');
    const { readOnly, path } = find(['.nvm/versions/node/v24.0.0/bin']);
    expect(readOnly).toEqual([join(home, '.nvm/versions/node/v24.0.0')]);
    expect(path[0]).toBe(join(home, '.nvm/versions/node/v24.0.0/bin'));
  });

  it('never shows the home directory or ~/.local as a whole', async () => {
    await program('bin/node');
    await put(join(home, 'lib/x'), '');
    await program('.local/bin/uv');
    await put(join(home, '.local/lib/x'), '');
    await put(join(home, '.local/share/keyrings/login.keyring'), 'secret');
    expect(find(['bin', '.local/bin']).readOnly).toEqual([join(home, '.local/bin/uv'), join(home, 'bin/node')]);
  });

  it('shows the one file where its surroundings are no installation', async () => {
    await program('projects/secret-app/bin/node');
    await put(join(home, 'projects/secret-app/.env'), 'KEY=1');
    expect(find(['projects/secret-app/bin']).readOnly).toEqual([join(home, 'projects/secret-app/bin/node')]);
  });

  it('leaves directories of the PATH out in which there is no known program', async () => {
    await program('scripts/deploy-with-password');
    const { readOnly, path } = find(['scripts']);
    expect(readOnly).toEqual([]);
    expect(path).not.toContain(join(home, 'scripts'));
  });

  it('follows a link to where the program really is', async () => {
    await program('opt/node/bin/node');
    await put(join(home, 'opt/node/lib/x'), '');
    await put(join(home, 'links/x'), '');
    await symlink(join(home, 'opt/node/bin/node'), join(home, 'links/node'));
    expect(find(['links']).readOnly).toEqual([join(home, 'links/node'), join(home, 'opt/node')]);
  });

  it("goes past pyenv's shims to the version the checkout asks for", async () => {
    await program('.pyenv/shims/python3');
    await program('.pyenv/versions/3.12.4/bin/python3');
    await program('.pyenv/versions/3.11.9/bin/python3');
    await put(join(home, '.pyenv/version'), '3.12.4\n');
    expect(find(['.pyenv/shims']).path[0]).toBe(join(home, '.pyenv/versions/3.12.4/bin'));
    await put(join(home, 'project/.python-version'), '3.11\n');
    const { path, readOnly } = find(['.pyenv/shims']);
    expect(path.slice(0, 2)).toEqual([join(home, '.pyenv/versions/3.11.9/bin'), join(home, '.pyenv/shims')]);
    expect(readOnly).toEqual([join(home, '.pyenv')]);
  });

  it("shows cargo's programs and packages, not its credentials", async () => {
    await program('.cargo/bin/cargo');
    await put(join(home, '.cargo/credentials.toml'), 'token');
    await put(join(home, '.cargo/registry/x'), '');
    await put(join(home, '.rustup/toolchains/x'), '');
    expect(find(['.cargo/bin']).readOnly).toEqual(
      ['.cargo/bin', '.cargo/registry', '.rustup'].map((path) => join(home, path)),
    );
  });

  it('has the Node that runs Lathe last among the programs of the user', async () => {
    await program('tools/node');
    const { path, readOnly } = find(['/usr/bin'], join(home, 'tools/node'));
    expect(readOnly).toEqual([join(home, 'tools/node')]);
    expect(path.indexOf(join(home, 'tools'))).toBeGreaterThan(path.indexOf('/usr/bin'));
  });
});
