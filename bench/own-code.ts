/**
 * The gates on this project's own code: every security, secret and dependency finding of severity low or worse, with what
 * was suppressed in the source and what was not looked for. There should be none that nobody gave a reason for: where there
 * are some it ends with 1.
 */
import { parseArgs } from 'node:util';
import { atLeast, defaultGateConfig, scanTree, treeOfPath } from '@lathe/gates';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, quality: { type: 'boolean', default: false } } });

const started = performance.now();
const document = await scanTree(await treeOfPath(`${import.meta.dirname}/..`), {
  config: {
    ...defaultGateConfig,
    scanTimeoutMs: 120_000, // Examples of what the rules find are what they find.
    ignore: [
      'bench/peers/**',
      'examples/**',
      'packages/gates/pairs/**',
      'packages/gates/rules/**',
      '**/__fixtures__/weak.c',
    ],
  },
});
const seconds = (performance.now() - started) / 1000;
const shown = document.findings.filter(
  (finding) => (values.quality || finding.kind !== 'quality') && atLeast(finding.severity, 'low'),
);
const print = values.json ? console.error : console.log;
for (const { severity, rule, path, line, message } of shown) print(`${severity} ${rule} ${path}:${line} ${message}`);
for (const { what, why } of document.notLookedFor) print(`not looked for: ${what}: ${why}`);
print(
  `${document.files} files in ${seconds.toFixed(1)} s: ${shown.length} findings, ${document.suppressed} suppressed with a reason in the source.`,
);
if (values.json) {
  console.log(
    JSON.stringify({
      name: 'own-code',
      unit: 'findings',
      ours: shown.length,
      peers: {},
      ratio: {},
      spread: null,
      suppressed: document.suppressed,
      files: document.files,
      seconds,
    }),
  );
}
if (shown.length > 0) process.exitCode = 1;
