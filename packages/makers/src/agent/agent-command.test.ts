import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { agentCommandOf } from './agent-command.ts';
import { openAgentMaker } from './agent-maker.ts';
import { PRESETS } from './presets.ts';
import { locateProgram } from './program.ts';

describe('agentCommandOf', () => {
  it('knows agents by name', () => {
    expect(agentCommandOf('codex', {})).toMatchObject({ ...PRESETS.codex });
    expect(agentCommandOf('gemini', {})).toMatchObject({ protocol: 'acp', command: 'gemini --acp' });
  });

  it('takes any other text for a command line, with acp: for one that speaks the protocol', () => {
    const none = { environment: [], settings: [], paths: [] };
    expect(agentCommandOf('my-agent --do {prompt}', {})).toEqual({
      protocol: 'command',
      command: 'my-agent --do {prompt}',
      ...none,
    });
    expect(agentCommandOf('acp:my-agent --stdio', {})).toEqual({
      protocol: 'acp',
      command: 'my-agent --stdio',
      ...none,
    });
    expect(agentCommandOf('constructor', {})).toEqual({ protocol: 'command', command: 'constructor', ...none });
  });

  it.each(['', ' ', 'acp:', 'acp: '])('refuses %j', (name) => {
    expect(() => agentCommandOf(name, {})).toThrow(expect.objectContaining({ code: 'LATHE_USAGE_MODEL' }));
  });

  it('adds what the user lists', () => {
    const environment = {
      LATHE_AGENT_ENVIRONMENT: 'A, B_2',
      LATHE_AGENT_FILES: '.x/y',
      LATHE_AGENT_PATHS: '/opt/agent',
    };
    expect(agentCommandOf('run', environment)).toMatchObject({
      environment: ['A', 'B_2'],
      settings: ['.x/y'],
      paths: ['/opt/agent'],
    });
  });

  it.each([
    ['LATHE_AGENT_ENVIRONMENT', 'A=1'],
    ['LATHE_AGENT_FILES', '/etc/shadow'],
    ['LATHE_AGENT_FILES', '../other/.ssh'],
    ['LATHE_AGENT_FILES', '.x/../../y'],
    ['LATHE_AGENT_PATHS', 'relative'],
  ])('refuses %s=%s', (name, value) => {
    expect(() => agentCommandOf('run', { [name]: value })).toThrow(
      expect.objectContaining({ code: 'LATHE_USAGE_AGENT', message: expect.stringContaining(name) }),
    );
  });

  it('refuses a network that is neither host nor none', () => {
    const environment = { PATH: '/usr/bin', LATHE_AGENT_NETWORK: 'some' };
    expect(() => openAgentMaker({ model: 'agent:true', environment })).toThrow(
      expect.objectContaining({ code: 'LATHE_USAGE_AGENT' }),
    );
  });
});

describe('locateProgram', () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'lathe-program-')));
  afterAll(() => rmSync(root, { recursive: true }));
  const home = join(root, 'home');
  const program = (path: string): string => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '#!/bin/sh\n');
    chmodSync(file, 0o755);
    return file;
  };
  const link = (target: string, path: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync(target, join(root, path));
  };

  it('leaves programs of the system and shell lines as they are', () => {
    for (const command of ['sh -c true', 'FOO=1 agent', './agent.sh', '(agent)', 'node agent.js', '"my agent"'])
      expect(locateProgram(command, '/usr/bin:/bin', home)).toEqual({ command, readOnly: [] });
  });

  it('shows the one file of a program in the home directory', () => {
    const file = program('home/.local/bin/solo');
    expect(locateProgram('solo --now', dirname(file), home)).toEqual({ command: `'${file}' --now`, readOnly: [file] });
  });

  it('follows the link of a global npm package to the folder of its modules', () => {
    const file = program('home/.npm/lib/node_modules/@x/cli/dist/main.js');
    link(file, 'home/.npm/bin/cli');
    expect(locateProgram('cli', join(root, 'home/.npm/bin'), home)).toEqual({
      command: `'${file}'`,
      readOnly: [join(root, 'home/.npm/lib/node_modules')],
    });
  });

  it('shows the prefix of an installation', () => {
    const file = program('opt/tool/bin/tool');
    program('opt/tool/lib/part');
    expect(locateProgram('tool', dirname(file), home).readOnly).toEqual([join(root, 'opt/tool')]);
  });

  it('never shows the home directory, though it has bin and lib', () => {
    const file = program('home/bin/mine');
    program('home/lib/part');
    expect(locateProgram('mine', dirname(file), home).readOnly).toEqual([file]);
  });

  it('says what is not installed', () => {
    expect(() => locateProgram('codex exec', '/usr/bin', home)).toThrow(
      expect.objectContaining({ code: 'LATHE_NOT_FOUND_AGENT', message: expect.stringContaining('codex') }),
    );
  });
});
