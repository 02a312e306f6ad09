import type { ParsedFile } from '../rules/parsed-file.ts';
import {
  asCall,
  type Call,
  enclosingFunction,
  literalText,
  type Node,
  nameOfFunction,
  nodesOfKind,
} from '../rules/syntax.ts';
import { piecesOf } from '../rules/taint.ts';
import { functionsOf } from './functions.ts';
import type { Hit } from './hit.ts';

/** How far a path has been resolved: as it came, `..` removed, or links followed as well. */
type Resolved = 'raw' | 'normalised' | 'real';

const FILE_USE =
  /(^|\.)(open|file|File|Path|PurePath|FileIO|read_text|read_bytes|write_text|write_bytes|send_file|send_from_directory|FileResponse|listdir|scandir|remove|unlink|rmtree|copy|copyfile|move|readFile|readFileSync|writeFile|writeFileSync|createReadStream|createWriteStream|openSync|readdir|readdirSync|sendFile|unlinkSync|rmSync|appendFile|appendFileSync)$/;
const REAL = /(^|\.)(realpath|realpathSync|realpathSync\.native)$/;
const NORMAL = /(^|\.)(normpath|abspath|normalize|absolute|safe_join|joinpath)$/;
const LINKS_REFUSED = /\b(islink|is_symlink|lstat|lstatSync|isSymbolicLink|O_NOFOLLOW|readlink)\b/;
const PATH_NAME = /path|file|dir|folder|fname|dest/i;
const BASE_NAME =
  /(^|_|[a-z])(dir|root|base|folder|safe\w*|directory|allowed\w*|home|jail)$|^(SAFE|BASE|ROOT|ALLOWED|UPLOAD)(?!_?name)/i;

interface Check {
  readonly node: Node;
  /** What is compared with the folder. */
  readonly subject: Node;
  readonly resolved: Resolved;
  /** A comparison of plain text lets `/safe-evil` pass for `/safe`. */
  readonly byText: boolean;
}

/**
 * Code that means to stay inside a folder and compares text for it. What counts is how far the path was resolved before
 * the comparison: not at all (`..` leaves the folder), only by text (a link leaves it), or really. A path that is built
 * on a fixed folder and opened without any comparison is the first case too. Sources: CWE-22, CWE-59; Perry et al. Q3.
 */
export function pathContainment(file: ParsedFile): Hit[] {
  if (!file.calls.some((call) => FILE_USE.test(call.callee))) return [];
  const hits: Hit[] = [];
  const functions = functionsOf(file);
  const opening = functions.filter((fn) => usesOf(fn, file).length > 0);
  for (const fn of functions) {
    const name = nameOfFunction(fn);
    const related = opening.some(
      (one) =>
        one.id() === fn.id() ||
        one.ancestors().some((a) => a.id() === fn.id()) ||
        fn.ancestors().some((a) => a.id() === one.id()) ||
        (name !== '' && calls(one, name)),
    );
    if (!related || isRealContainment(fn)) continue;
    for (const check of checksIn(fn, file)) {
      if (enclosingFunction(check.node)?.id() !== fn.id()) continue;
      const hit = judge(check, fn, file.language);
      if (hit) hits.push(hit);
    }
  }
  for (const fn of opening) {
    if (
      hits.some((hit) => contains(fn, hit.node)) ||
      fn.ancestors().some((ancestor) => opening.some((one) => one.id() === ancestor.id()))
    )
      continue;
    hits.push(...unchecked(fn, file));
  }
  return hits;
}

function contains(fn: Node, node: Node): boolean {
  const { start, end } = fn.range();
  const at = node.range().start.index;
  return start.index < at && at < end.index;
}

/** Calls inside a function, by position: asking each for its ancestors is quadratic. */
function callsInside(fn: Node, file: ParsedFile): Call[] {
  const { start, end } = fn.range();
  return file.calls.filter((call) => start.index < call.start && call.start < end.index);
}

function calls(fn: Node, name: string): boolean {
  return new RegExp(`\\b${name.replace(/\W/g, '\\$&')}\\s*\\(`).test((fn.field('body') ?? fn).text());
}

function usesOf(fn: Node, file: ParsedFile): Call[] {
  return callsInside(fn, file).filter(
    (call) => FILE_USE.test(call.callee) && !/^(window|xhr|xhttp|request|app|router)\./.test(call.callee),
  );
}

/** The comparisons that do it right: by path components, on a path with links followed. */
function isRealContainment(fn: Node): boolean {
  const text = fn.text();
  const resolves = /\brealpath|\.resolve\s*\((\s*strict\s*=\s*\w+)?\s*\)/.test(text);
  return resolves && /commonpath|relative_to|is_relative_to|\.parents\b|path\.relative\s*\(/.test(text);
}

/** Whether the code looks for `..` and does more than take it out once, which leaves it in `....//`. */
function refusesDots(text: string): boolean {
  return /['"`]\/?\.\.\/?['"`]/.test(text.replace(/\.replace(All)?\(\s*r?['"`]\/?\.\.\/['"`]\s*,/g, ''));
}

function judge(check: Check, fn: Node, language: ParsedFile['language']): Hit | null {
  const text = fn.text();
  const dotsRefused = refusesDots(text);
  const linksRefused = LINKS_REFUSED.test(text);
  const resolved: Resolved = check.resolved === 'raw' && dotsRefused ? 'normalised' : check.resolved;
  if (resolved === 'raw') {
    return {
      node: check.node,
      severity: 'high',
      message: `${brief(check.subject)} is compared with the folder as it came: "..", and a link inside the folder, lead out of it`,
    };
  }
  // Where files are written under names of an archive, there is no link yet to follow.
  const unpacks = /\b(zip|tar|archive|entry|entries|unpack|extract)/i.test(text);
  if (resolved === 'normalised' && !linksRefused && !unpacks) {
    return {
      node: check.node,
      // Node's `path.resolve` with a separator is the customary check; Python's customary one follows links.
      severity: language === 'python' || check.byText ? 'medium' : 'low',
      cwe: 'CWE-59',
      message: `${brief(check.subject)} is compared without following links: a link inside the folder leads out of it`,
    };
  }
  if (check.byText) {
    return {
      node: check.node,
      severity: 'low',
      message: `The folder is compared as text without a separator at its end: a sibling whose name begins the same passes`,
    };
  }
  return null;
}

function brief(node: Node): string {
  const text = node.text().replace(/\s+/g, ' ');
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

/** Whether a node is the folder: text of an absolute path, or a name that says so. */
function isFolder(node: Node, file: ParsedFile): { text: string | null } | null {
  const text = file.bindings.textOf(node);
  const called = node.kind() === 'identifier' && BASE_NAME.test(node.text()) && !file.bindings.isParameter(node);
  if (text !== null && called && file.bindings.valuesOf(node).some((value) => asCall(value) !== null)) return { text };
  if (text !== null)
    return /^(\/(?!(proc|sys|dev)\b)[\w.-]|[A-Za-z]:\\|\.{0,2}\/\w|(safe_?\w*|\w+dir)\/?$)/.test(text) &&
      !/^\/(api|v\d)\b/.test(text)
      ? { text }
      : null;
  if (node.kind() === 'identifier' && BASE_NAME.test(node.text())) return { text: null };
  const property = (node.field('property') ?? node.field('attribute'))?.text() ?? '';
  if (/^(self|this)\.[\w$#]+$/.test(node.text()) && BASE_NAME.test(property)) return { text: null };
  if (
    /^(call|call_expression|attribute|member_expression|binary_operator|binary_expression|template_string)$/.test(
      String(node.kind()),
    )
  ) {
    const inner = node.findAll({ rule: { kind: 'identifier' } }) as Node[];
    const strings = (node.findAll({ rule: { kind: 'string' } }) as Node[]).map((one) => literalText(one));
    if (strings.some((one) => one !== null && /^\/[\w.-]/.test(one))) return { text: strings.join('') };
    if (inner.some((one) => BASE_NAME.test(one.text()) && !file.bindings.isParameter(one)))
      return { text: /sep|['"`]\/['"`]/.test(node.text()) ? '/' : null };
  }
  return null;
}

function checksIn(fn: Node, file: ParsedFile): Check[] {
  const checks: Check[] = [];
  const add = (node: Node, subject: Node, folder: Node): void => {
    const known = isFolder(folder, file);
    if (!known || literalText(subject) !== null || !isPathLike(subject, file)) return;
    const said = folder.kind() === 'identifier' ? [folder, ...file.bindings.valuesOf(folder)] : [folder];
    const closed = known.text?.endsWith('/') || said.some((one) => /sep\b|['"`]\/['"`]/.test(one.text()));
    checks.push({ node, subject, resolved: resolvedness(subject, file, new Set()), byText: !closed });
  };
  for (const call of callsInside(fn, file)) {
    const receiver = call.calleeNode.field('object');
    if (/^str\.startswith$/.test(call.callee) && call.args.length === 2)
      add(call.node, call.args[0]!.value, call.args[1]!.value);
    else if (/\.(startswith|startsWith|includes|__contains__)$/.test(call.callee) && receiver && call.args[0])
      add(call.node, receiver, call.args[0].value);
    else if (
      /\.(indexOf|find|index|search|match)$/.test(call.callee) &&
      receiver &&
      call.args[0] &&
      /[=!]==?\s*0|>=?\s*0|[=!]=\s*-1/.test(call.node.parent()?.text() ?? '')
    )
      add(call.node, receiver, call.args[0].value);
    else if (
      /^re\.(match|fullmatch|search)$/.test(call.callee) &&
      call.args[1] &&
      /^\^?\/\w/.test(literalText(call.args[0]!.value)?.replace(/^r/, '') ?? '')
    ) {
      checks.push({
        node: call.node,
        subject: call.args[1].value,
        resolved: resolvedness(call.args[1].value, file, new Set()),
        byText: false,
      });
    } else if (/(^|\.)commonprefix$/.test(call.callee)) {
      const parts = call.args[0]?.value.namedChildren() ?? [];
      const subject = parts.find((part) => !isFolder(part, file) || file.bindings.isParameter(part)) ?? parts[0];
      if (subject)
        checks.push({ node: call.node, subject, resolved: resolvedness(subject, file, new Set()), byText: true });
    } else if (/\.(commonpath|is_relative_to|relative_to)$/.test(call.callee) && !/\.relative$/.test(call.callee)) {
      const parts = /commonpath/.test(call.callee)
        ? (call.args[0]?.value.namedChildren() ?? [])
        : receiver
          ? [receiver]
          : [];
      const subject = parts.find((part) => !file.bindings.isConstant(part) && !isFolder(part, file)) ?? parts[0];
      if (subject)
        checks.push({ node: call.node, subject, resolved: resolvedness(subject, file, new Set()), byText: false });
    }
  }
  const comparisons =
    file.language === 'python' ? nodesOfKind(fn, 'comparison_operator') : nodesOfKind(fn, 'binary_expression');
  for (const comparison of comparisons) {
    const [left, right] = [
      comparison.field('left') ?? comparison.namedChildren()[0],
      comparison.field('right') ?? comparison.namedChildren()[1],
    ];
    if (!left || !right || !/[=!]=|\bin\b/.test(comparison.text().slice(left.text().length))) continue;
    // `Path('/safe') in path.parents`
    const chain =
      right.kind() === 'attribute' && right.field('attribute')?.text() === 'parents' ? right.field('object') : null;
    if (chain && isFolder(left, file)) {
      checks.push({ node: comparison, subject: chain, resolved: resolvedness(chain, file, new Set()), byText: false });
      continue;
    }
    for (const [subject, folder] of [
      [left, right],
      [right, left],
    ] as const) {
      const cut = cutFrom(subject, file, 0);
      const tuple =
        folder.kind() === 'tuple' || folder.kind() === 'list'
          ? folder.namedChildren().map((part) => literalText(part))
          : null;
      if (tuple?.includes('/') && cut) {
        checks.push({ node: comparison, subject, resolved: resolvedness(cut, file, new Set()), byText: false });
      } else if (cut && isComponent(subject, file) && isNameOfFolder(folder, file)) {
        // A first component says nothing about the ones after it.
        checks.push({ node: comparison, subject, resolved: resolvedness(cut, file, new Set()), byText: false });
      } else if (cut && isFolder(folder, file) && !beganAs(cut, folder, file)) {
        const closed = file.bindings.textOf(folder)?.endsWith('/') ?? false;
        const whole = !/^(slice|subscript)/.test(String(subject.kind()));
        checks.push({
          node: comparison,
          subject,
          resolved: resolvedness(cut, file, new Set()),
          byText: !closed && !whole,
        });
      } else if (
        /\bin\b/.test(comparison.text().slice(left.text().length)) &&
        subject === right &&
        isFolder(left, file) &&
        isPathLike(right, file)
      ) {
        checks.push({ node: comparison, subject: right, resolved: resolvedness(right, file, new Set()), byText: true });
      }
    }
  }
  return checks;
}

/** A walk upwards from the folder itself, `for (let at = root; at !== home; at = dirname(at))`, keeps nothing inside it. */
function beganAs(path: Node, folder: Node, file: ParsedFile): boolean {
  return file.bindings.valuesOf(path).some((value) => value.text() === folder.text());
}

/** A folder's name without its place: text, or what is left of a folder without its slash, `ROOT[1:]`. */
function isNameOfFolder(node: Node, file: ParsedFile): boolean {
  if (file.bindings.textOf(node)) return true;
  const whole = /^subscript/.test(String(node.kind())) ? (node.field('value') ?? node.field('object')) : node;
  return whole !== null && isFolder(whole, file) !== null;
}

/** One part between slashes: `path.split('/')[1]`, `path.parts[1]`. */
function isComponent(node: Node, file: ParsedFile): boolean {
  if (node.kind() === 'identifier') return file.bindings.valuesOf(node).some((value) => isComponent(value, file));
  const value = node.field('value') ?? node.field('object');
  return /subscript/.test(String(node.kind())) && value !== null && isPieces(value, file);
}

/** A path taken apart: `path.split('/')`, `path.parts`, or a name for it. */
function isPieces(node: Node, file: ParsedFile): boolean {
  if (node.kind() === 'identifier') return file.bindings.valuesOf(node).some((value) => isPieces(value, file));
  return /\.(parts|split\((['"]\/['"]|os\.sep|path\.sep)\))$/.test(node.text());
}

/** The path a piece was cut from: `path[:8]`, `path.parts[:2]`, `path.slice(0, 8)`, `dirname(path)`, `path.split('/')[1]`. */
function cutFrom(node: Node, file: ParsedFile, depth: number): Node | null {
  const kind = String(node.kind());
  if (depth > 5) return null;
  if (kind === 'identifier') {
    for (const value of file.bindings.valuesOf(node)) {
      const cut = cutFrom(value, file, depth + 1);
      if (cut) return cut;
    }
    return null;
  }
  if (kind === 'subscript' || kind === 'subscript_expression') {
    const value = node.field('value') ?? node.field('object');
    if (!value) return null;
    if (isPieces(value, file)) return value;
    return isPathLike(value, file) ? value : null;
  }
  if (kind === 'attribute' && node.field('attribute')?.text() === 'parent') {
    const object = node.field('object');
    return object && !/\.parents?\b/.test(object.text()) ? object : null;
  }
  const call = asCall(node);
  if (!call) return null;
  if (/^(str|Path|pathlib\.Path|os\.fspath)$/.test(call.callee) && call.args[0]) {
    return cutFrom(call.args[0].value, file, depth + 1);
  }
  if (/(^|\.)dirname$/.test(call.callee) && call.args[0]) return call.args[0].value;
  const receiver = call.calleeNode.field('object');
  if (/\.(slice|substring|substr)$/.test(call.callee) && receiver && isPathLike(receiver, file)) return receiver;
  return null;
}

/** The path object that a method of it opens: `path` of `path.open()`. */
function openedBy(call: Call): Node | null {
  return /\.(open|(read|write)_(text|bytes)|unlink)$/.test(call.callee) ? call.calleeNode.field('object') : null;
}

function isPathLike(node: Node, file: ParsedFile): boolean {
  const identifiers =
    node.kind() === 'identifier' ? [node] : (node.findAll({ rule: { kind: 'identifier' } }) as Node[]);
  if (identifiers.some((one) => PATH_NAME.test(one.text()))) return true;
  // What is compared is also opened.
  const fn = enclosingFunction(node);
  if (!fn) return false;
  const opened = new Set(
    usesOf(fn, file)
      .flatMap((call) => [...call.args.map((arg) => arg.value), openedBy(call) ?? []].flat())
      .flatMap((one) => [
        one.text(),
        ...(one.findAll({ rule: { kind: 'identifier' } }) as Node[]).map((id) => id.text()),
      ]),
  );
  return identifiers.some((one) => file.bindings.isParameter(one) || opened.has(one.text()));
}

function resolvedness(node: Node, file: ParsedFile, seen: Set<number>): Resolved {
  if (seen.has(node.id())) return 'raw';
  seen.add(node.id());
  const kind = String(node.kind());
  if (kind === 'identifier') {
    const values = file.bindings.valuesOf(node);
    return values.length === 0 ? 'raw' : most(values.map((value) => resolvedness(value, file, seen)));
  }
  const call = asCall(node);
  if (call) {
    if (REAL.test(call.callee)) return 'real';
    if (/\.resolve$/.test(call.callee)) {
      // pathlib's resolve follows links; Node's path.resolve works on text.
      return file.language === 'python' ? 'real' : 'normalised';
    }
    const parts = [call.calleeNode.field('object'), ...call.args.map((arg) => arg.value)].filter(
      (part) => part !== null && part !== undefined,
    );
    const inner = most(parts.map((part) => resolvedness(part, file, seen)));
    if (
      inner === 'raw' &&
      (NORMAL.test(call.callee) || (file.language !== 'python' && /(^|\.)join$/.test(call.callee)))
    )
      return 'normalised';
    return inner;
  }
  if (
    kind === 'await_expression' ||
    kind === 'parenthesized_expression' ||
    kind === 'attribute' ||
    kind === 'member_expression' ||
    kind === 'subscript' ||
    kind === 'subscript_expression' ||
    kind.startsWith('binary')
  ) {
    return most(node.namedChildren().map((child) => resolvedness(child, file, seen)));
  }
  return 'raw';
}

function most(all: readonly Resolved[]): Resolved {
  return all.includes('real') ? 'real' : all.includes('normalised') ? 'normalised' : 'raw';
}

/** `open('/safedir/' + path)`: a parameter placed below a fixed absolute folder and used without a look at it. */
function unchecked(fn: Node, file: ParsedFile): Hit[] {
  const text = fn.text();
  if (/realpath|commonpath|relative_to|\.parents\b|secure_filename|safe_join|basename|\.resolve\s*\(\s*\)/.test(text))
    return [];
  if (checksIn(fn, file).length > 0) return [];
  const dotsRefused = refusesDots(text);
  const linksRefused = LINKS_REFUSED.test(text);
  const moved = /\bchdir\(\s*['"]\/\w/.test(text);
  // A name out of a listing is inside the folder; what it links to may not be.
  const listed = /\bin\s+(os\.)?(listdir|scandir)\(|\.includes\(|\bin\s+\w*(files|names|entries)\b/.test(text);
  const hits: Hit[] = [];
  for (const use of usesOf(fn, file)) {
    const receiver = openedBy(use);
    const opened = receiver && builtOnFolder(receiver, file, 0) ? receiver : use.args[0]?.value;
    const inMoved = moved && opened && isFreeText(opened, file) ? brief(opened) : null;
    const built = inMoved ?? (opened ? builtOnFolder(opened, file, 0) : null);
    if (built && linksRefused && (listed || dotsRefused)) continue;
    if (built && (listed || dotsRefused)) {
      hits.push({
        node: use.node,
        severity: 'medium',
        cwe: 'CWE-59',
        message: `${built} cannot hold ".." here, but links in the folder are followed`,
      });
    } else if (built) {
      hits.push({
        node: use.node,
        severity: 'high',
        message: `${built} is placed below a fixed folder and opened unchecked: ".." leads out of it`,
      });
    }
  }
  return hits;
}

function builtOnFolder(node: Node, file: ParsedFile, depth: number): string | null {
  if (depth > 4) return null;
  if (node.kind() === 'identifier' && !file.bindings.isParameter(node)) {
    for (const value of file.bindings.valuesOf(node)) {
      const found = builtOnFolder(value, file, depth + 1);
      if (found) return found;
    }
    return null;
  }
  const call = asCall(node);
  let parts: Node[] = [];
  if (call && /(^|\.)(join|joinpath|Path)$/.test(call.callee)) parts = call.args.map((arg) => arg.value);
  else if (node.kind() === 'binary_operator' && node.field('operator')?.text() === '/')
    parts = [node.field('left')!, node.field('right')!];
  else {
    const pieces = piecesOf(node, file.bindings);
    if (!pieces || !/^\/(?!(?:proc|sys|dev)\/)\w[\w./-]*\/?\s*/.test(pieces.fixed)) return null;
    const free = pieces.varying.find((piece) => isFreeText(piece, file));
    return free ? brief(free) : null;
  }
  const first = parts[0] ? file.bindings.textOf(parts[0]) : null;
  if (first === null || !/^\/\w/.test(first)) return null;
  const free = parts.slice(1).find((part) => isFreeText(part, file));
  return free ? brief(free) : null;
}

function isFreeText(node: Node, file: ParsedFile): boolean {
  return (
    node.kind() === 'identifier' &&
    file.bindings.isParameter(node) &&
    !/^(id|index|i|n|num|count|pid)$/.test(node.text())
  );
}
