import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { eachDocument } from './documents.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-documents-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('eachDocument', () => {
  it('gives back from lines of JSON what was written, as often as it is gone through', async () => {
    // Ends of lines of several kinds, letters of two and four bytes, and one text longer than what is read at once.
    const texts = ['a\nb\r\nc\u2028d\u2029e', '', `ü🙂${'x'.repeat(3)}`, 'é🙂'.repeat(100_000), 'last'];
    const path = join(folder, 'texts.jsonl');
    writeFileSync(path, texts.map((text) => JSON.stringify({ path: 'p', text })).join('\n'));
    for (let round = 0; round < 2; round++) {
      const read: string[] = [];
      for await (const text of eachDocument({ path, count: texts.length })) read.push(text);
      expect(read).toEqual(texts);
    }
  });
});
