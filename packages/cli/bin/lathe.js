#!/usr/bin/env node
// Plain JavaScript, for any Node since 18: finds a Node that runs TypeScript and starts src/main.ts under it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED = [22, 18];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) {
  await import('../src/main.ts');
} else {
  const pinned = findPinnedNode(dirname(fileURLToPath(import.meta.url)));
  if (pinned === null) {
    process.stderr.write(
      `lathe needs Node ${NEEDED.join('.')} or newer and got ${process.versions.node} (${process.execPath}).\n` +
        '  → install a newer Node, or put one beside Lathe: npm install node@24\n',
    );
    process.exitCode = 1;
  } else {
    handOver(pinned);
  }
}

/** The Node that `npm install` put into a node_modules above this file, or null. */
function findPinnedNode(start) {
  for (let directory = start; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules/node/bin/node');
    if (existsSync(candidate)) return candidate;
    if (dirname(directory) === directory) return null;
  }
}

/**
 * This Node cannot replace itself by another program, so it stays and must be transparent: signals sent to it alone go
 * on to the child, the child's ending becomes its own, and the channel closes with it, which tells the child when this
 * process was killed outright.
 */
function handOver(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, LATHE_HANDED_OVER: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`lathe could not start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
