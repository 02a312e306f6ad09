import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

// Before anything else is loaded: it halves the start. The cache is the user's own, not a shared folder in /tmp.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lathe', 'compiled'));

if (process.env.LATHE_HANDED_OVER === '1') {
  // Started by an older Node (bin/lathe.js): when that one is killed outright, so is this one.
  delete process.env.LATHE_HANDED_OVER;
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.channel?.unref();
}

const { runCommandLine } = await import('./command-line.ts');
const status = await runCommandLine(process.argv.slice(2));
// A pipe may still hold what a slow reader has not taken; leaving before that would cut it off.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
process.exit(status);
