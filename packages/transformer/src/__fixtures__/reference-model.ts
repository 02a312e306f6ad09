/**
 * The transformer once more, in plain f64 loops straight from the formulas and without any of the code under test: no
 * cache, no batches, every token sees itself and what is before it.
 */
import type { GgufFile } from '../weights/gguf.ts';
import { dequantise } from '../weights/dequantise.ts';

/** Logits [tokens, vocabulary] of the tokens whose places are in `wanted` (all where left out). */
export async function referenceLogits(file: GgufFile, tokens: readonly number[], wanted = tokens.map((_, i) => i)): Promise<Float64Array[]> {
  const arch = file.metadata.get('general.architecture') as string;
  const size = (key: string) => Number(file.metadata.get(`${arch}.${key}`));
  const H = size('attention.head_count');
  const G = size('attention.head_count_kv');
  const epsilon = size('attention.layer_norm_rms_epsilon');
  const base = size('rope.freq_base');
  const load = async (name: string) => {
    const tensor = file.tensors.get(name);
    return tensor === undefined ? null : dequantise(tensor.type, await file.read(name));
  };
  const C = size('embedding_length');
  const D = file.metadata.has(`${arch}.attention.key_length`) ? size('attention.key_length') : C / H;
  const embedding = (await load('token_embd.weight'))!;

  let x: Float64Array[] = tokens.map((token) => Float64Array.from(embedding.subarray(token * C, (token + 1) * C)));
  for (let layer = 0; layer < size('block_count'); layer++) {
    const part = (name: string) => load(`blk.${layer}.${name}`);
    const attnNorm = (await part('attn_norm.weight'))!;
    const normed = x.map((row) => rmsNorm(row, attnNorm, epsilon));
    const project = async (name: string) => {
      const weight = (await part(`${name}.weight`))!;
      const bias = await part(`${name}.bias`);
      return normed.map((row) => linear(row, weight, bias));
    };
    const rotated = async (name: string, heads: number) =>
      (await project(name)).map((row, position) => rotate(row, position, heads, D, base, arch === 'llama'));
    const q = await rotated('attn_q', H);
    const k = await rotated('attn_k', G);
    const v = await project('attn_v');
    const output = (await part('attn_output.weight'))!;
    const afterAttention = x.map((row, t) => {
      const mixed = new Float64Array(H * D);
      for (let h = 0; h < H; h++) {
        const g = Math.floor(h / (H / G));
        const scores = Array.from({ length: t + 1 }, (_, s) => {
          let dot = 0;
          for (let d = 0; d < D; d++) dot += q[t]![h * D + d]! * k[s]![g * D + d]!;
          return dot / Math.sqrt(D);
        });
        const largest = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - largest));
        const total = weights.reduce((a, b) => a + b, 0);
        for (let s = 0; s <= t; s++)
          for (let d = 0; d < D; d++) mixed[h * D + d]! += (weights[s]! / total) * v[s]![g * D + d]!;
      }
      return plus(row, linear(mixed, output, null));
    });
    const ffnNorm = (await part('ffn_norm.weight'))!;
    const [gate, up, down] = [(await part('ffn_gate.weight'))!, (await part('ffn_up.weight'))!, (await part('ffn_down.weight'))!];
    x = afterAttention.map((row) => {
      const n = rmsNorm(row, ffnNorm, epsilon);
      const left = linear(n, gate, null);
      const right = linear(n, up, null);
      return plus(row, linear(left.map((value, i) => (value / (1 + Math.exp(-value))) * right[i]!), down, null));
    });
  }
  const outputNorm = (await load('output_norm.weight'))!;
  const head = (await load('output.weight')) ?? embedding;
  return wanted.map((t) => linear(rmsNorm(x[t]!, outputNorm, epsilon), head, null));
}

function rmsNorm(x: Float64Array, gain: Float32Array, epsilon: number): Float64Array {
  const meanSquare = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, i) => (value / Math.sqrt(meanSquare + epsilon)) * gain[i]!);
}

/** W is [out, in], row-major. */
function linear(x: Float64Array, weight: Float32Array, bias: Float32Array | null): Float64Array {
  const out = new Float64Array(weight.length / x.length);
  for (let o = 0, at = 0; o < out.length; o++) {
    let sum = bias?.[o] ?? 0;
    for (let i = 0; i < x.length; i++) sum += weight[at++]! * x[i]!;
    out[o] = sum;
  }
  return out;
}

function rotate(x: Float64Array, position: number, heads: number, D: number, base: number, neighbours: boolean): Float64Array {
  const out = new Float64Array(x.length);
  for (let h = 0; h < heads; h++)
    for (let i = 0; i < D / 2; i++) {
      const angle = position * base ** ((-2 * i) / D);
      const [a, b] = neighbours ? [h * D + 2 * i, h * D + 2 * i + 1] : [h * D + i, h * D + i + D / 2];
      out[a] = x[a]! * Math.cos(angle) - x[b]! * Math.sin(angle);
      out[b] = x[a]! * Math.sin(angle) + x[b]! * Math.cos(angle);
    }
  return out;
}

function plus(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + b[i]!);
}
