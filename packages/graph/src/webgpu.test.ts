import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { CASES } from './__fixtures__/gradient-cases.ts';
import { swiftShader } from './__fixtures__/swiftshader.ts';
import { GraphBuilder } from './builder.ts';
import { openSession } from './session.ts';
import { forWebGpu } from './webgpu.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('./__fixtures__/on-both-devices.ts', import.meta.url));
const shader = swiftShader();

describe('the WebGPU provider', () => {
  it.skipIf('reason' in shader)(
    `computes values and gradients as the processor does, all by itself${'reason' in shader ? ` (skipped: ${shader.reason})` : ''}`,
    async () => {
      const { env } = shader as { env: Record<string, string> };
      const { stdout } = await run(process.execPath, [script], { env });
      const cases = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { name: string; worst: number | null });
      expect(cases.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(CASES)));
      expect(cases.length).toBe(Object.keys(CASES).length + 7);
      // JSON has no infinity: null is one.
      expect(cases.filter(({ worst }) => worst === null || worst > 2e-5)).toEqual([]);
    },
    300_000,
  );

  it('refuses with what to do where there is no adapter', async () => {
    const program = `
      import { GraphBuilder, openSession } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
      const g = new GraphBuilder();
      g.output('y', g.exp(g.input('x', 'float32', [2])));
      await openSession(g.build(), { device: 'webgpu', threads: 1, spinning: false }).catch(({ name, code, message, remedy }) =>
        console.log(JSON.stringify({ name, code, message, remedy })),
      );`;
    // No driver is found at this path, whatever the machine has.
    const env = { ...process.env, VK_ICD_FILENAMES: '/nowhere/icd.json', VK_DRIVER_FILES: '/nowhere/icd.json' };
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], { env });
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'GraphError',
      code: 'LATHE_GRAPH_DEVICE',
      message: expect.stringContaining('expected an adapter'),
      remedy: expect.stringContaining('Vulkan driver'),
    });
  });

  it('refuses 8-bit products by name', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2, 4]);
    const zero = g.constant('zero', 'uint8', [], new Uint8Array([128]));
    g.output('y', g.quantizeLinear(x, g.scalar('scale', 0.1), zero));
    await expect(openSession(g.build(), { device: 'webgpu', threads: 1, spinning: false })).rejects.toMatchObject({
      code: 'LATHE_GRAPH_DEVICE',
      message: expect.stringContaining('8 bits'),
      remedy: expect.stringContaining('exact'),
    });
  });

  it('gets an integer input once more in each shape it is used in', () => {
    const g = new GraphBuilder();
    const tokens = g.input('tokens', 'int64', [3]);
    const rows = g.input('rows', 'float32', [3, 2]);
    const into = g.expand(g.scalar('zero', 0), [5, 2]);
    g.output('a', g.addRows(into, g.reshape(tokens, [3, 1]), rows));
    g.output('b', g.addRows(into, g.reshape(tokens, [3, 1]), rows));
    const { graph, views } = forWebGpu(g.build());
    expect(views).toEqual([{ name: 'tokens as [3, 1]', source: 'tokens', shape: [3, 1] }]);
    expect(graph.inputs.map(({ name }) => name)).toEqual(['tokens', 'rows', 'tokens as [3, 1]']);
    expect(graph.nodes.map(({ op }) => op.kind)).not.toContain('reshape');
  });
});
