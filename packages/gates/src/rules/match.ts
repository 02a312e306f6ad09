import { analyses, type Hit } from '../analyses/index.ts';
import { isTestPath } from '../language.ts';
import type { Bindings } from './bindings.ts';
import type { ParsedFile } from './parsed-file.ts';
import type { CallMatch, RuleFile, Sink, TreeMatch } from './rule-file.ts';
import { type Argument, type Call, type Node, nodesOfKind, outermostFunction } from './syntax.ts';
import { piecesOf, taintOf } from './taint.ts';

/** Places in the file the rule objects to, in source order, at most one a node. */
export function hitsOf(rule: RuleFile, file: ParsedFile): Hit[] {
  const { where } = rule;
  if (where?.outsideTests && isTestPath(file.path)) return [];
  if (where?.fileHas && !where.fileHas.test(file.code)) return [];
  if (where?.fileLacks?.test(file.code)) return [];
  const hits = rule.analysis
    ? analyses[rule.analysis](file, rule)
    : rule.taint
      ? taintHits(rule.taint, file)
      : (rule.match ?? []).flatMap((match) => ('call' in match ? callHits(match, file) : treeHits(match, file)));
  const seen = new Set<number>();
  return hits.filter((hit) => {
    if (seen.has(hit.node.id())) return false;
    seen.add(hit.node.id());
    if (!where?.functionHas && !where?.functionLacks) return true;
    const around = outermostFunction(hit.node);
    const text = around ? around.text() : file.code;
    return (where.functionHas?.test(text) ?? true) && !where.functionLacks?.test(text);
  });
}

function isNamed(call: Call, pattern: RegExp): boolean {
  return call.names.some((name) => pattern.test(name));
}

function argument(call: Call, key: string | number): Argument | undefined {
  return call.args.find((arg) => String(arg.key) === String(key));
}

function argumentsMatch(call: Call, patterns: Record<string, RegExp> | undefined, bindings: Bindings): boolean {
  return Object.entries(patterns ?? {}).every(([key, pattern]) => {
    const candidates = key === '*' ? call.args : call.args.filter((arg) => String(arg.key) === key);
    return candidates.some(({ value }) => {
      if (pattern.test(value.text())) return true;
      const constant = bindings.textOf(value);
      if (constant !== null && pattern.test(constant)) return true;
      return value.kind() === 'identifier' && bindings.valuesOf(value).some((bound) => pattern.test(bound.text()));
    });
  });
}

function callHits(match: CallMatch, { calls, bindings }: ParsedFile): Hit[] {
  return calls
    .filter((call) => {
      if (!isNamed(call, match.call)) return false;
      if (match.count !== undefined && call.args.length !== match.count) return false;
      if (match.absent?.some((key) => argument(call, key))) return false;
      if (!argumentsMatch(call, match.arguments, bindings)) return false;
      const values = (keys: readonly (string | number)[]): Node[] =>
        keys.flatMap((key) => argument(call, key)?.value ?? []);
      if (match.constant && !values(match.constant).some(bindings.isConstant)) return false;
      if (match.varying && !values(match.varying).some((value) => varies(value, bindings))) return false;
      return !match.statement || match.statement.test(statementAround(call.node).text());
    })
    .map((call) => ({ node: call.node }));
}

/** Whether an expression can be anything: no constant, no allowed value, and no text made of such alone. */
function varies(value: Node, bindings: Bindings): boolean {
  if (bindings.isConstant(value) || bindings.isGuarded(value)) return false;
  const pieces = piecesOf(value, bindings);
  return pieces === null || pieces.varying.length > 0;
}

function statementAround(node: Node): Node {
  const around = [node, ...node.ancestors()];
  const at = around.findIndex((one) =>
    /(_statement|_declaration|_definition|^assignment|^block|^program|^module)$/.test(String(one.kind())),
  );
  return around[Math.max(at, 0)]!;
}

function treeHits(match: TreeMatch, { root, bindings }: ParsedFile): Hit[] {
  return (root.findAll({ rule: match.rule }) as Node[])
    .filter((node) => {
      const get = (name: string): Node | null => node.getMatch(name) as Node | null;
      const constant = (name: string): boolean => {
        const value = get(name);
        return value !== null && bindings.isConstant(value);
      };
      if (match.constant && !match.constant.every(constant)) return false;
      if (match.varying && !match.varying.every((name) => get(name) !== null && !constant(name))) return false;
      return Object.entries(match.where ?? {}).every(([name, pattern]) => pattern.test(get(name)?.text() ?? ''));
    })
    .map((node) => ({ node }));
}

function sinkNodes(sink: Sink, { root, calls, bindings, language }: ParsedFile): { node: Node; value: Node }[] {
  if ('call' in sink) {
    return calls
      .filter(
        (call) =>
          isNamed(call, sink.call) &&
          argumentsMatch(call, sink.arguments, bindings) &&
          !(sink.lacks && argumentsMatch(call, sink.lacks, bindings)),
      )
      .flatMap((call) =>
        call.args
          .filter((arg) => sink.argument === '*' || String(arg.key) === String(sink.argument))
          .map((arg) => ({ node: call.node, value: arg.value })),
      );
  }
  if ('assign' in sink) {
    const kinds = language === 'python' ? ['assignment'] : ['assignment_expression', 'augmented_assignment_expression'];
    return nodesOfKind(root, ...kinds).flatMap((node) => {
      const left = node.field('left');
      const value = node.field('right');
      return left && value && sink.assign.test(left.text().replace(/\s+/g, '')) ? [{ node, value }] : [];
    });
  }
  return (root.findAll({ rule: sink.rule }) as Node[]).flatMap((node) => {
    const value = node.getMatch(sink.variable) as Node | null;
    return value ? [{ node, value }] : [];
  });
}

function taintHits(spec: NonNullable<RuleFile['taint']>, file: ParsedFile): Hit[] {
  const taint = taintOf(spec.sources, file.bindings, file.language, spec);
  return spec.sinks.flatMap((sink) =>
    sinkNodes(sink, file).flatMap(({ node, value }) => {
      const source = taint.sourceOf(value);
      return source ? [{ node, source }] : [];
    }),
  );
}
