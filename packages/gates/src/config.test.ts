import { expect, it } from 'vitest';
import { treeWith } from './__fixtures__/testing.ts';
import { CONFIG_PATH, defaultGateConfig, readGateConfig, severityUnder } from './config.ts';

it('reads the settings of the tree, and takes defaults for the rest', async () => {
  const config = await readGateConfig(treeWith({ [CONFIG_PATH]: 'rules:\n  lathe/ssrf: off\nrejectAt: high\n' }));
  expect(config).toEqual({ ...defaultGateConfig, rules: { 'lathe/ssrf': 'off' }, rejectAt: 'high' });
});

it('names the key of a setting that is not known', async () => {
  const reading = readGateConfig(treeWith({ [CONFIG_PATH]: 'rejectOn: high\n' }));
  await expect(reading).rejects.toMatchObject({
    code: 'LATHE_USAGE_GATE_CONFIG',
    message: expect.stringContaining('rejectOn'),
  });
});

it('lets the longest matching key decide', () => {
  const config = {
    ...defaultGateConfig,
    rules: { 'eslint/*': 'off', 'eslint/complexity': 'high', 'lathe/ssrf': 'on' } as const,
  };
  expect(severityUnder(config, 'eslint/max-depth', 'low')).toBeNull();
  expect(severityUnder(config, 'eslint/complexity', 'low')).toBe('high');
  expect(severityUnder(config, 'lathe/ssrf', 'medium')).toBe('medium');
});
