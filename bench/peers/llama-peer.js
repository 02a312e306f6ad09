/**
 * llama.cpp as a peer in benchmarks, in a child process so that its memory and threads are its own:
 *
 *   const peer = await load('model.gguf', 2);
 *   const one = await peer.runOne(promptTokens, 128);
 *   const ten = await peer.runTen(promptTokens, 128, 10);
 *   await peer.close();
 *
 * Needs `npm ci --omit=optional` in this folder; `isInstalled()` says whether that was done.
 *
 * @typedef {object} Run
 * @property {number} promptMs   context made and prompt evaluated
 * @property {number} decodeMs   new tokens
 * @property {number} totalMs
 * @property {number} peakMemoryBytes   of the process so far
 * @property {number[][]} outputs   token ids, one list for each continuation
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

export function isInstalled() {
  return existsSync(here('./node_modules/node-llama-cpp/package.json'));
}

/**
 * @param {string} path of a GGUF file
 * @param {number} threads
 */
export async function load(path, threads) {
  if (!isInstalled()) throw new Error(`llama.cpp is not installed; run: npm ci --omit=optional --prefix ${here('.')}`);
  const child = spawn(process.execPath, [here('./llama-process.js')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  async function ask(request) {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`llama.cpp ended with status ${child.exitCode ?? child.signalCode}`);
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(`llama.cpp: ${answer.error}`);
    return answer.result;
  }

  const { llamaCpp } = await ask({ name: 'load', path, threads });

  return {
    /** Release of llama.cpp. */
    version: llamaCpp,

    /**
     * One continuation. `exact` keeps keys and values in f32.
     * @returns {Promise<Run>}
     */
    runOne: (promptTokens, nNew, { temperature = 0.8, seed = 1, exact = false } = {}) =>
      ask({ name: 'run', promptTokens, nNew, n: 1, temperature, seed, sharePrompt: false, exact }),

    /** @returns {Promise<number[]>} its tokens of a text */
    tokenise: (text) => ask({ name: 'tokenise', text }),

    /**
     * n continuations decoded together. `sharePrompt` uses the state file, by which the prompt is evaluated once; without it
     * every sequence evaluates the prompt, as the API does when simply used.
     * @returns {Promise<Run>}
     */
    runTen: (promptTokens, nNew, n = 10, { temperature = 0.8, seed = 1, sharePrompt = false } = {}) =>
      ask({ name: 'run', promptTokens, nNew, n, temperature, seed, sharePrompt }),

    async close() {
      const ended = once(child, 'exit');
      await ask({ name: 'close' });
      child.stdin.end();
      await ended;
    },
  };
}
