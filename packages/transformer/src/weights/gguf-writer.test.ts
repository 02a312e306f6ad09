import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openGguf } from './gguf.ts';
import { writeGguf } from './gguf-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-gguf-writer-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('writes a vocabulary of 150,000 words, as large as there are, and reads it back', async () => {
  const words = Array.from({ length: 150_000 }, (_, i) => `word${i}`);
  const path = join(folder, 'large.gguf');
  await writeGguf(path, {
    metadata: new Map([['tokenizer.ggml.tokens', words]]),
    valueTypes: new Map(),
    tensors: [{ name: 'w', type: 'F32', shape: [1], bytes: () => new Uint8Array(4) }],
  });
  const file = await openGguf(path);
  expect(file.metadata.get('tokenizer.ggml.tokens')).toEqual(words);
  await file.close();
});
