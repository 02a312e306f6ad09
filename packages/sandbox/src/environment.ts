import { SANDBOX_HOME } from './bubblewrap.ts';

/**
 * The whole environment of a command: nothing of the user's own is in it. Package managers are told not to try the network, so
 * that they fail at once instead of waiting for it.
 */
export function sandboxEnvironment(path: readonly string[], timeZone: string): Record<string, string> {
  return {
    PATH: path.join(':'),
    HOME: SANDBOX_HOME,
    USER: 'candidate',
    LOGNAME: 'candidate',
    SHELL: '/bin/sh',
    TMPDIR: '/tmp',
    TERM: 'dumb',
    LANG: 'C.UTF-8',
    TZ: timeZone,
    CI: '1',
    npm_config_offline: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    PIP_NO_INDEX: '1',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    UV_OFFLINE: '1',
    CARGO_NET_OFFLINE: 'true',
    GOPROXY: 'off',
    GOFLAGS: '-mod=readonly',
    // Byte code beside the sources would count as the candidate's changes where it is not ignored.
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

/** A `passwd` entry and the like for the one user a sandbox has. */
export const ETC_FILES: Readonly<Record<string, string>> = {
  passwd: `root:x:0:0:root:/nonexistent:/usr/sbin/nologin\ncandidate:x:1000:1000:candidate:${SANDBOX_HOME}:/bin/sh\n`,
  group: 'root:x:0:\ncandidate:x:1000:\n',
  hosts: '127.0.0.1 localhost candidate\n::1 localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};
