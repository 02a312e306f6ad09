import { type Device, type Graph, GraphBuilder } from '@lathe/graph';
import { type CacheOptions, cachedSession } from './cache/converted.ts';
import { type Config, readConfig } from './config.ts';
import { Evaluator, TOP_CANDIDATES } from './evaluator.ts';
import { buildModel } from './model.ts';
import type { Precision } from './precision.ts';
import { dequantise } from './weights/dequantise.ts';
import { BLOCK_LAYOUT } from './weights/ggml-types.ts';
import type { GgufFile } from './weights/gguf.ts';
import { loadWeights, residualBasis } from './weights/load-weights.ts';

export interface EvaluatorSetup {
  /** `cpu` by default. */
  readonly device?: Device;
  readonly precision: Precision;
  readonly threads: number;
  readonly spinning: boolean;
  readonly contextSize: number;
  readonly profilePrefix?: string;
  /** Where the converted model is kept between processes; nowhere by default. */
  readonly converted?: CacheOptions | null;
}

export interface LoadedEvaluator {
  readonly config: Config;
  readonly evaluator: Evaluator;
  /** Equal keys: the same model, computed the same way. Null without a cache. */
  readonly key: string | null;
  /** Why the converted model could not be kept, in words; null where it was, or none was to be. */
  readonly trouble: string | null;
}

/** Lays out a model file's weights and opens its graph. The file may be closed afterwards. */
export async function loadEvaluator(file: GgufFile, setup: EvaluatorSetup): Promise<LoadedEvaluator> {
  const config = readConfig(file);
  const { precision, contextSize } = setup;
  const layOut = async (): Promise<Graph> => {
    const g = new GraphBuilder();
    buildModel(
      g,
      config,
      await loadWeights(g, file, config, precision, contextSize, setup.device === 'webgpu'),
      topCandidates(config),
    );
    return g.build();
  };
  const { session, key, trouble } = await cachedSession(
    file.path,
    { precision, contextSize },
    setup.converted ?? null,
    layOut,
    setup,
  );
  const toResidualBasis = residualBasis(config, precision);
  const lookUp = await embedding(file, config);
  const embed = (tokens: readonly number[]) => {
    const embedded = lookUp(tokens);
    toResidualBasis(embedded);
    return embedded;
  };
  return { config, evaluator: new Evaluator(session, config, embed, minRows(config, setup)), key, trouble };
}

function topCandidates({ vocabSize }: Config): number {
  return Math.min(TOP_CANDIDATES, vocabSize);
}

/**
 * Integer sums are exact however many rows there are. The f32 kernels take a path of their own for a single row, whose
 * sums are ordered otherwise: int8 leaves f32 products only in attention, where a group's query heads are rows too.
 */
function minRows({ nHead, nKvHead }: Config, { precision }: EvaluatorSetup): number {
  return precision === 'int8' && nHead > nKvHead ? 1 : 2;
}

/** Rows of the embedding matrix, dequantised as they are looked up: it stays as small as the file has it. */
async function embedding(file: GgufFile, { nEmbd }: Config): Promise<(tokens: readonly number[]) => Float32Array> {
  const { name, type } = file.tensors.get('token_embd.weight')!;
  const rows = await file.read(name);
  const layout = BLOCK_LAYOUT[type];
  const rowBytes = (nEmbd / layout.elements) * layout.bytes;
  return (tokens) => {
    const bytes = new Uint8Array(tokens.length * rowBytes);
    for (const [i, token] of tokens.entries())
      bytes.set(rows.subarray(token * rowBytes, (token + 1) * rowBytes), i * rowBytes);
    return dequantise(type, bytes);
  };
}
