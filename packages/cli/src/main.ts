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
process.exit(await runCommandLine(process.argv.slice(2)));
