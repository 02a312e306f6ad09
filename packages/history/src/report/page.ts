import { html as renderDiff } from 'diff2html';
import { ColorSchemeType } from 'diff2html/lib/types.js';
import { HORIZONS } from '../audit.ts';
import type { AuditDocument, FindingLife } from '../document.ts';
import {
  COHORT_AGES,
  CURVE_COLOURS,
  type Curve,
  churnChart,
  cohortChart,
  operationsChart,
  SHOWN_OPERATIONS,
  survivalChart,
} from './charts.ts';
import { notFollowedInWords } from './not-followed.ts';
import { STYLE } from './style.ts';

export interface ReportOptions {
  /** Unified diffs of the commits behind the churn, by commit id; others are named without one. */
  readonly diffs: ReadonlyMap<string, string>;
  /** Style sheet of diff2html, put into the page so that it needs no network. */
  readonly diffStyle: string;
  readonly createdAt: Date;
}

/** The audit as one self-contained page: no scripts, no network, light and dark by the reader's setting. */
export function renderReport(audit: AuditDocument, options: ReportOptions): string {
  const name =
    audit.repository
      .split(/[\\/]/)
      .filter((part) => part !== '')
      .at(-1) ?? audit.repository;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Audit of ${escapeHtml(name)}</title>
<style>${options.diffStyle}\n${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>What happened to the lines of <em>${escapeHtml(name)}</em></h1>
<p class="quiet">${count(audit.commits)} commits${audit.since ? ` since ${escapeHtml(audit.since.slice(0, 10))}` : ''} up to <code>${audit.head.slice(0, 10)}</code>,
${audit.walk === 'all' ? 'merged branches included' : 'main line only'} · made ${options.createdAt.toISOString().slice(0, 10)}</p>
</header>
${figures(audit)}
<section><h2>Operations a month</h2>
${legend(SHOWN_OPERATIONS.map(({ name, colour, key }) => ({ name: `${name} ${count(audit.operations[key])}`, colour })))}
<figure>${operationsChart(audit)}</figure>
<p class="quiet">Lock, generated and vendored files, blank lines and lone brackets are left out. ${count(audit.operations.noop)} file changes were white space alone;
${count(audit.duplicateBlocks)} blocks of five lines and more were put in at more than one place by one commit.</p>
${monthsInFigures(audit)}
${operationCommits(audit)}</section>
<section><h2>Churn</h2>
${churn(audit)}</section>
<section><h2>Survival</h2>
${survivalBlocks(audit)}
${horizons(audit)}
<p class="quiet">Kaplan–Meier: lines that still stand count for as long as they have been watched. A line's life goes on through moves and changes of up to three words.</p></section>
<section><h2>Where lines do not stay</h2>${directories(audit)}</section>
<section><h2>The commits behind the churn</h2>${commits(audit, options)}</section>
${findings(audit)}
<section><h2>What was not followed</h2>${notFollowed(audit)}</section>
</main>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}

function count(value: number): string {
  return value.toLocaleString('en-GB');
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}

function figures(audit: AuditDocument): string {
  const year = audit.survival.find((point) => point.group === 'all' && point.days === 365);
  const moved = audit.operations.moved;
  const copied = audit.operations.copyPasted;
  const tiles: [string, string, string][] = [
    [count(audit.lines), 'lines today', 'counted files only'],
    audit.churn.changed > 0
      ? [
          percent(audit.churn.rate),
          `churned in ${audit.churn.windowDays} days`,
          `${percent(audit.churn.low)} – ${percent(audit.churn.high)}`,
        ]
      : ['too young', 'to say what churns', `no line is ${audit.churn.windowDays} days old`],
    year
      ? [percent(year.surviving), 'of lines live a year', `${percent(year.low)} – ${percent(year.high)}`]
      : ['too young', 'to say what lives a year', 'no line has been watched that long'],
    [
      moved + copied === 0 ? '–' : (copied / Math.max(1, moved)).toFixed(2),
      'copied for each line moved',
      `${count(copied)} copied, ${count(moved)} moved`,
    ],
  ];
  return `<div class="figures">${tiles.map(([value, name, note]) => `<div><b>${value}</b><span>${name}</span><small>${note}</small></div>`).join('')}</div>`;
}

function legend(entries: readonly { name: string; colour: string }[]): string {
  return `<ul class="legend">${entries.map(({ name, colour }) => `<li><i style="background:${colour}"></i>${escapeHtml(name)}</li>`).join('')}</ul>`;
}

const BLOCKS: readonly [string, string][] = [
  ['origin', 'By origin'],
  ['author', 'By author'],
  ['language', 'By language'],
  ['directory', 'By directory'],
];

function churn(audit: AuditDocument): string {
  const { changed, rate, low, high, windowDays } = audit.churn;
  if (changed === 0) return `<p>No line is ${windowDays} days old yet: there is nothing to say of churn.</p>`;
  return `<p>Of ${count(changed)} lines old enough to tell, <strong>${percent(rate)}</strong>
(${percent(low)} to ${percent(high)}) were taken out or rewritten within ${windowDays} days.</p>
<figure>${churnChart(audit)}</figure>
<p class="quiet">Bars are 95 % intervals that allow for the lines of one commit falling together. The dashed line is the whole history.</p>`;
}

function named(commits: readonly { commit: string; lines: number }[]): string {
  return `<span class="named">${commits
    .map(({ commit, lines }) => `<span><code>${commit.slice(0, 10)}</code> ${count(lines)}</span>`)
    .join(', ')}</span>`;
}

function monthsInFigures({ months }: AuditDocument): string {
  return `<details><summary>The months in figures, and their largest commits</summary>${table(
    ['month', 'commits', ...SHOWN_OPERATIONS.map(({ name }) => name), 'largest commits (lines changed)'],
    months
      .toReversed()
      .map(({ month, commits, operations, largest }) => [
        month,
        count(commits),
        ...SHOWN_OPERATIONS.map(({ key }) => count(operations[key])),
        named(largest),
      ]),
  )}</details>`;
}

function operationCommits({ operationCommits }: AuditDocument): string {
  const told = SHOWN_OPERATIONS.filter(({ key }) => operationCommits[key].length > 0);
  if (told.length === 0) return '';
  return `<details><summary>The commits behind each operation</summary>${told
    .map(({ key, name }) => `<p><strong>${name}</strong>: ${named(operationCommits[key])}</p>`)
    .join('')}</details>`;
}

/** Ages that are tabulated below each drawing: those of the document would not fit a phone. */
const SHOWN_AGES = [30, 90, 365, 1825];

/** What a drawing shows, in figures: the share that is still there, and of how many lines that is known. */
function groupsInFigures(audit: AuditDocument, curves: readonly Curve[]): string {
  const ages = SHOWN_AGES.filter((age) =>
    audit.survival.some((point) => point.days === age && curves.some(({ group }) => group === point.group)),
  );
  return table(
    ['', ...ages.map((age) => `${days(age)} (at risk)`)],
    curves.map(({ group }) => [
      escapeHtml(label(group)),
      ...ages.map((age) => {
        const point = audit.survival.find((one) => one.group === group && one.days === age);
        return point ? `${percent(point.surviving)} <small>(${count(point.atRisk)})</small>` : '';
      }),
    ]),
  );
}

function survivalByMonth(audit: AuditDocument): string {
  if (audit.months.length < 3 || !audit.survival.some(({ group }) => group.startsWith('month:'))) return '';
  return `<h3>By month of writing</h3>
${legend(COHORT_AGES.map(({ age, colour }) => ({ name: `still there after ${days(age)}`, colour })))}
<figure>${cohortChart(audit)}</figure>`;
}

function survivalBlocks(audit: AuditDocument): string {
  // The shortest age that is tabulated: before it every curve is a dot.
  if (!audit.survival.some((point) => point.group === 'all'))
    return `<p>No line has been watched for ${HORIZONS[0]} days yet: there is nothing to say of survival.</p>`;
  const all = audit.curves.filter((curve) => curve.group === 'all');
  const block = (title: string, curves: readonly Curve[]) => `<h3>${title}</h3>
${legend(curves.map((curve, i) => ({ name: `${label(curve.group)} (${count(curve.lines)})`, colour: CURVE_COLOURS[i % CURVE_COLOURS.length] })))}
<figure>${survivalChart(curves, `Survival of lines, ${title.toLowerCase()}`)}</figure>
${curves === all ? '' : groupsInFigures(audit, curves)}`;
  const blocks = all.length > 0 ? [block('All lines', all)] : ['<p>No lines to follow.</p>'];
  for (const [kind, title] of BLOCKS) {
    const curves = audit.curves.filter((curve) => curve.group.startsWith(`${kind}:`)).slice(0, CURVE_COLOURS.length);
    if (curves.length > 1) blocks.push(block(title, curves));
  }
  blocks.push(survivalByMonth(audit));
  for (const { groups, chiSquared, p } of audit.comparisons) {
    blocks.push(
      `<p>${escapeHtml(label(groups[0]))} against ${escapeHtml(label(groups[1]))}: log-rank χ² = ${chiSquared.toFixed(1)}, p ${p < 0.001 ? '&lt; 0.001' : `= ${p.toFixed(3)}`}.</p>`,
    );
  }
  return blocks.join('\n');
}

function label(group: string): string {
  const value = group.slice(group.indexOf(':') + 1);
  return value === '.' ? 'top folder' : value;
}

function horizons(audit: AuditDocument): string {
  const rows = audit.survival.filter((point) => point.group === 'all');
  if (rows.length === 0) return '';
  return table(
    ['after', 'still there', '95 % interval', 'at risk'],
    rows.map((point) => [
      days(point.days),
      percent(point.surviving),
      `${percent(point.low)} – ${percent(point.high)}`,
      count(point.atRisk),
    ]),
  );
}

function days(value: number): string {
  return value % 365 === 0 ? `${value / 365} ${value === 365 ? 'year' : 'years'}` : `${value} days`;
}

function directories(audit: AuditDocument): string {
  if (audit.directories.length === 0) return '<p>Nothing is old enough to tell.</p>';
  return table(
    ['folder', 'lines today', 'changed', 'churned', 'share', '95 % interval', 'most in (lines churned)'],
    audit.directories.map((row) => [
      `<code>${escapeHtml(row.directory === '.' ? './' : `${row.directory}/`)}</code>`,
      count(row.lines),
      count(row.changed),
      count(row.churned),
      percent(row.rate),
      `${percent(row.low)} – ${percent(row.high)}`,
      named(row.commits),
    ]),
  );
}

function commits(audit: AuditDocument, options: ReportOptions): string {
  if (audit.churnedCommits.length === 0) return '<p>No line was thrown away within the window.</p>';
  return audit.churnedCommits
    .map((commit) => {
      const line = `<code>${commit.commit.slice(0, 10)}</code> ${commit.month} · ${count(commit.churned)} of ${count(commit.changed)} lines gone within ${audit.churn.windowDays} days`;
      const diff = options.diffs.get(commit.commit);
      if (!diff) return `<p class="commit">${line}</p>`;
      const rendered = renderDiff(diff, {
        outputFormat: 'line-by-line',
        drawFileList: false,
        colorScheme: ColorSchemeType.AUTO,
      });
      return `<details class="commit"><summary>${line}</summary>${rendered}</details>`;
    })
    .join('\n');
}

/** Findings that are shown of each kind; the JSON has all. */
const SHOWN_FINDINGS = 100;

function findings({ findings, findingSamples }: AuditDocument): string {
  if (findingSamples.length === 0) return '';
  const open = findings.filter(({ status }) => status === 'open');
  const gone = findings.filter(({ status }) => status === 'gone');
  const place = ({ path, line }: FindingLife) =>
    `<code>${escapeHtml(path).replaceAll('/', '/<wbr>')}<wbr>:${line}</code>`;
  const day = (point: { date: string } | null) => point?.date.slice(0, 10) ?? 'before';
  const rule = (finding: FindingLife) =>
    `${escapeHtml(finding.rule)}${finding.cwe ? ` <small>${escapeHtml(finding.cwe)}</small>` : ''}`;
  const written = ({ lineWrittenIn }: FindingLife) =>
    lineWrittenIn ? `<code>${lineWrittenIn.slice(0, 10)}</code>` : 'not known';
  const more = (list: readonly FindingLife[]) =>
    list.length > SHOWN_FINDINGS
      ? `<p class="quiet">${count(list.length - SHOWN_FINDINGS)} more are in the JSON.</p>`
      : '';
  const unseen = new Map(findingSamples.flatMap(({ notLookedFor }) => notLookedFor.map((one) => [one.what, one.why])));
  return `<section><h2>Weaknesses over time</h2>
<p>${count(open.length)} stand today; ${count(gone.length)} came and went.</p>
${table(
  ['looked at', 'commit', 'findings'],
  findingSamples.map((sample) => [day(sample), `<code>${sample.commit.slice(0, 10)}</code>`, count(sample.findings)]),
)}
<h3>Open</h3>
${
  open.length === 0
    ? '<p>None.</p>'
    : table(
        ['where', 'rule', 'severity', 'not yet', 'first seen', 'line written in'],
        open
          .slice(0, SHOWN_FINDINGS)
          .map((one) => [place(one), rule(one), one.severity, day(one.notBefore), day(one.firstSeen), written(one)]),
        'words',
      )
}${more(open)}
<h3>Gone</h3>
${
  gone.length === 0
    ? '<p>None.</p>'
    : table(
        ['where', 'rule', 'severity', 'first seen', 'gone by', 'stood, days'],
        gone
          .slice(0, SHOWN_FINDINGS)
          .map((one) => [
            place(one),
            rule(one),
            one.severity,
            day(one.firstSeen),
            day(one.goneBy),
            `${count(one.openDays.least)} – ${one.openDays.most === null ? '?' : count(one.openDays.most)}`,
          ]),
        'words',
      )
}${more(gone)}
<p class="quiet">${count(findingSamples.length)} trees of the main line were looked at; what came and went between two of them is not seen, and a date is no closer than they are.${
    unseen.size > 0 ? ` Not looked for, in ${count(unseen.size)} ${unseen.size === 1 ? 'case' : 'cases'}:` : ''
  }</p>
${
  unseen.size > 0
    ? `<ul class="quiet">${[...unseen]
        .slice(0, 20)
        .map(([what, why]) => `<li>${escapeHtml(`${what}: ${why}`)}</li>`)
        .join('')}</ul>`
    : ''
}</section>`;
}

function notFollowed(audit: AuditDocument): string {
  return `<ul>${notFollowedInWords(audit)
    .map((text) => `<li>${escapeHtml(text)}</li>`)
    .join('')}</ul>`;
}

/** Cells are HTML; the first column is words, the others are figures unless `cells` is `words`. */
function table(heads: readonly string[], rows: readonly (readonly string[])[], cells = 'figures'): string {
  return `<div class="scroll ${cells}" tabindex="0"><table><thead><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
    .join('')}</tbody></table></div>`;
}
