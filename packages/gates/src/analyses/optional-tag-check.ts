import type { ParsedFile } from '../rules/parsed-file.ts';
import { asCall, type Node, nodesOfKind } from '../rules/syntax.ts';
import { functionsOf } from './functions.ts';
import type { Hit } from './hit.ts';

/**
 * Authenticated modes whose tag is never verified, or only if the caller happens to pass one: GCM, EAX, CCM, OCB and
 * ChaCha20-Poly1305 of PyCryptodome, and GCM of Node.
 */
export function optionalTagCheck(file: ParsedFile): Hit[] {
  return file.language === 'python' ? python(file) : node(file);
}

function python(file: ParsedFile): Hit[] {
  const hits: Hit[] = [];
  for (const fn of functionsOf(file)) {
    if (fn.kind() === 'lambda') continue;
    const text = fn.text();
    if (!/\bMODE_(GCM|EAX|CCM|OCB)\b|\bChaCha20_Poly1305\.new\b/.test(text) || /decrypt_and_verify/.test(text))
      continue;
    const decrypt = file.calls.find(
      (call) => /\.decrypt$/.test(call.callee) && call.node.ancestors().some((ancestor) => ancestor.id() === fn.id()),
    );
    if (!decrypt) continue;
    const verify = file.calls.find(
      (call) =>
        /\.(verify|hexverify)$/.test(call.callee) &&
        call.node.ancestors().some((ancestor) => ancestor.id() === fn.id()),
    );
    if (!verify) {
      hits.push({ node: decrypt.node, message: 'Decrypts without verifying the tag: changed ciphertext is accepted' });
    } else if (insideCondition(verify.node, fn)) {
      hits.push({
        node: verify.node,
        message: 'The tag is verified only on a condition: leave it out and changed ciphertext is accepted',
      });
    }
  }
  return hits;
}

function insideCondition(node: Node, fn: Node): boolean {
  for (const ancestor of node.ancestors()) {
    if (ancestor.id() === fn.id()) return false;
    if (ancestor.kind() === 'if_statement') return /tag|mac|digest/i.test(ancestor.field('condition')?.text() ?? '');
  }
  return false;
}

function node(file: ParsedFile): Hit[] {
  const decipher = file.calls.filter(
    (call) =>
      /(^|\.)createDecipheriv$/.test(call.callee) &&
      /gcm|ccm|ocb|poly1305/i.test(
        call.args[0] ? (file.bindings.textOf(call.args[0].value) ?? call.args[0].value.text()) : '',
      ),
  );
  if (
    decipher.length === 0 ||
    nodesOfKind(file.root, 'call_expression').some((one) => /\.setAuthTag$/.test(asCall(one)?.callee ?? ''))
  ) {
    return [];
  }
  return decipher.map((call) => ({
    node: call.node,
    message: 'Decrypts without setAuthTag: the tag is never checked',
  }));
}
