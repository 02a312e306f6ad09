import { join } from 'node:path';
import { bubblewrapArguments } from './bubblewrap.ts';
import { SCRATCH } from './overlay.ts';
import { withProcessCgroup } from './process-cgroup.ts';
import type { Runner } from './runner.ts';
import { commandRan, killNamespace, sandboxLaunch } from './sandbox-launch.ts';
import type { Toolchains } from './toolchains.ts';

export interface SandboxSetting {
  readonly checkoutDirectory: string;
  /** Holds the sandbox's own passwd and the like. */
  readonly etc: string;
  /** File with the compiled seccomp filter, or null. */
  readonly seccompFile: string | null;
  readonly toolchains: Toolchains;
  readonly environment: Readonly<Record<string, string>>;
  readonly readOnly: readonly string[];
  readonly network: 'none' | 'host';
}

/** Commands run under bubblewrap. */
export function sandboxedRunner(setting: SandboxSetting): Runner {
  return {
    isolation: setting.network === 'none' ? 'bubblewrap, no network' : 'bubblewrap, with network',
    async prepare(copy, command, limits, apart) {
      await copy.prepare(Math.min(limits.diskBytes, limits.memoryBytes));
      const args = bubblewrapArguments(
        { ...setting, copy: copy.root, scratch: join(copy.directory, SCRATCH), readOnlyInCopy: copy.readOnly },
        limits,
        ['sh', '-c', command],
      );
      const launch = sandboxLaunch(copy.directory, args, { apart, seccompFile: setting.seccompFile });
      return {
        launch: withProcessCgroup(launch, copy.directory, limits),
        ran: commandRan,
        kill: killNamespace,
      };
    },
  };
}
