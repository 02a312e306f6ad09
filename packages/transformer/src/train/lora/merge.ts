import { rename, rm } from 'node:fs/promises';
import { dequantise } from '../../weights/dequantise.ts';
import type { GgufFile } from '../../weights/gguf.ts';
import { writeGguf } from '../../weights/gguf-writer.ts';
import { quantise, type WritableType } from '../../weights/quantise.ts';
import type { Adapters } from './adapter-files.ts';

/** `general.file_type` of the GGUF specification. */
const FILE_TYPE: Readonly<Record<WritableType, number>> = { F32: 0, F16: 1, Q8_0: 7 };

/**
 * Writes the base with its adapters merged: W = W₀ + (alpha / rank) · B · A for the adapted matrices, stored as `type`;
 * everything else stays byte for byte what it is in the base. One matrix is in memory at a time. Written beside and renamed.
 */
export async function mergeAdapters(
  path: string,
  base: GgufFile,
  { rank, alpha, factors }: Adapters,
  { type, name }: { type: WritableType; name: string },
): Promise<void> {
  const metadata = new Map(base.metadata);
  metadata.set('general.name', name);
  metadata.set('general.file_type', FILE_TYPE[type]);
  // The writer aligns as files do that do not say.
  metadata.delete('general.alignment');
  const temporary = `${path}.${process.pid}.part`;
  try {
    await writeGguf(temporary, {
      metadata,
      valueTypes: new Map([...base.valueTypes, ['general.file_type', 'uint32'], ['general.name', 'string']]),
      tensors: [...base.tensors.values()].map((tensor) => {
        const matrix = tensor.name.replace(/\.weight$/, '');
        const [a, b] = [factors.get(`${matrix}.lora_A`), factors.get(`${matrix}.lora_B`)];
        if (a === undefined || b === undefined) return { ...tensor, bytes: () => base.read(tensor.name) };
        return {
          name: tensor.name,
          shape: tensor.shape,
          type,
          bytes: async () => {
            const values = dequantise(tensor.type, await base.read(tensor.name));
            addProduct(values, b, a, rank, alpha / rank);
            return quantise(type, values);
          },
        };
      }),
    });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** W [out, in] += scale · B [out, rank] · A [rank, in], summed in f64. */
function addProduct(w: Float32Array, b: Float32Array, a: Float32Array, rank: number, scale: number): void {
  const inputs = a.length / rank;
  const row = new Float64Array(inputs);
  for (let out = 0; out < b.length / rank; out++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * b[out * rank + r]!;
      for (let i = 0; i < inputs; i++) row[i]! += factor * a[r * inputs + i]!;
    }
    for (let i = 0; i < inputs; i++) w[out * inputs + i]! += row[i]!;
  }
}
