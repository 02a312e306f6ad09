/**
 * npm run bench -- NAME [--json] [options of that benchmark]
 *
 * Runs `bench/NAME.ts`, which measures Lathe and its peers alternately in one go. With `--json` its last line is one
 * document: {name, unit, ours, peers, ratio, spread, machine}.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const names = readdirSync(here).flatMap((file) =>
  /^[a-z0-9-]+\.ts$/.test(file) && file !== 'run.ts' ? [file.slice(0, -3)] : [],
);
const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run bench -- NAME [--json]\nNAME is one of: ${names.join(', ')}`);
  process.exit(2);
}
const child = spawn(process.execPath, [`${here}${name}.ts`, ...rest], { stdio: 'inherit' });
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
});
