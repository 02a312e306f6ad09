import type { Language } from '../language.ts';
import { enclosingFunction, type Node, nameOfFunction } from './syntax.ts';

/** Types whose values carry no text of the caller's choosing, and objects a framework hands in. */
const NOT_TEXT =
  /^(typing\.)?(Optional\[)?(int|float|bool|complex|UUID\d?|uuid\.UUID|date|datetime|datetime\.\w+|Decimal|Request|Response|HttpRequest|WebSocket|BackgroundTasks|\w*(Session|Pool|Connection|Client|Service|Settings|Enum|User))\b/;
const ROUTE = /\.(get|post|put|patch|delete|head|options|route|api_route|websocket)\s*\(/;
const PARTS = /^(body|query|params|headers|cookies|searchParams|rawBody)$/;

/**
 * Whether a parameter is filled from an HTTP request by a framework: path and query parameters of a decorated Python
 * function (FastAPI, Flask, Starlette), URL parts of a Django view, decorated parameters of a Nest controller, and
 * `{ body, query, params }` taken out of the request in a handler's own parameter list.
 */
export function isRouteParameter(name: string, parameter: Node, language: Language): boolean {
  if (isLambdaEvent(name, parameter)) return true;
  return language === 'python' ? isPythonRoute(name, parameter) : isJavascriptRoute(name, parameter);
}

/** The event a cloud function is called with: `lambda_handler(event, context)`, `exports.handler = async (event) => …`. */
function isLambdaEvent(name: string, parameter: Node): boolean {
  if (name !== 'event') return false;
  const fn = enclosingFunction(parameter) ?? parameter.parent()?.parent();
  if (!fn) return false;
  const second = fn.field('parameters')?.namedChildren()[1]?.text() ?? '';
  return /^_?context\b/.test(second) || /(^|[._])handler$/i.test(nameOfFunction(fn));
}

function isPythonRoute(name: string, parameter: Node): boolean {
  if (/^(self|cls|request|response|_)$/.test(name)) return false;
  const fn = parameter.parent()?.parent();
  if (fn?.kind() !== 'function_definition') return false;
  const type = parameter.field('type')?.text() ?? '';
  const given = parameter.field('value')?.text() ?? '';
  if (NOT_TEXT.test(type) || /\b(Depends|Security)\(/.test(type + given)) return false;
  const around = fn.parent();
  if (around?.kind() === 'decorated_definition') {
    const decorators = around
      .children()
      .filter((child) => child.kind() === 'decorator')
      .map((child) => child.text())
      .filter((text) => ROUTE.test(text));
    if (decorators.length > 0) return !decorators.some((text) => new RegExp(`<(int|float|uuid):${name}>`).test(text));
  }
  const first = fn.field('parameters')?.namedChildren()[0]?.text() ?? '';
  return /^request\b/.test(first) && type === '' && given === '' && !/^(pk|id|\w+_id|format)$/.test(name);
}

function isJavascriptRoute(name: string, parameter: Node): boolean {
  if (/^@(Param|Query|Body|Headers|Cookies|UploadedFile|Args)\b/.test(parameter.text().trim())) {
    return !/:\s*(number|boolean|Date|bigint)\b/.test(parameter.text());
  }
  const pattern = parameter.kind() === 'object_pattern' ? parameter : parameter.field('pattern');
  if (pattern?.kind() !== 'object_pattern') return false;
  const within = new RegExp(
    `\\b(body|query|params|headers|cookies)\\s*:\\s*(\\{[^{}]*\\b${escaped(name)}\\b|${escaped(name)}\\b)`,
  );
  if (!PARTS.test(name) && !within.test(pattern.text())) return false;
  const fn = enclosingFunction(pattern);
  const call = fn?.parent()?.kind() === 'arguments' ? fn.parent()!.parent() : null;
  const others = fn?.field('parameters')?.text() ?? '';
  return ROUTE.test(`${call?.field('function')?.text() ?? ''}(`) || /\b(reply|res|response)\b/.test(others);
}

function escaped(name: string): string {
  return name.replaceAll('$', '\\$');
}
