import { inBothLanguages } from './harness.ts';
import { type Break, isVerdict, type Probe, usable } from './probe.ts';

interface Answer {
  readonly function: string;
  readonly line: number;
  readonly signatures: number;
  readonly distinctNonces: number;
  readonly distinctSignatures: number;
}

/**
 * A function that signs a message: the secret number of a hundred signatures must not repeat (ECDSA, EdDSA), and each
 * message needs a signature of its own (these, RSA, HMAC). Keys are those of the libraries at hand, and a bare number.
 */
export const signatureProbe: Probe = {
  name: 'signature',
  looksFor: 'repeated randomness in signatures, by making a hundred',
  ...inBothLanguages('signature_probe'),
  applies: ({ language, text }) =>
    (language === 'python' && /\bdef\s+\w*sign/i.test(text) && /ecdsa|\.sign\(|\bec\b/i.test(text)) ||
    (/^(javascript|typescript)$/.test(language) &&
      /sign\w*\s*(=|\(|:)/i.test(text) &&
      /createSign|createHmac|crypto|ecdsa|elliptic|curve|subtle/i.test(text)),
  judge(output) {
    const answer = usable<Answer>(output);
    if (isVerdict(answer)) return answer;
    const breaks: Break[] = [];
    if (answer.signatures > 1 && answer.distinctSignatures === 1) {
      breaks.push({
        rule: 'lathe/probe-message-not-signed',
        cwe: 'CWE-347',
        severity: 'high',
        line: answer.line,
        message: `${answer.function} gave one signature for ${answer.signatures} different messages: it does not sign what it is given`,
        help: 'Sign the message that was passed.',
      });
    } else if (answer.distinctNonces < answer.signatures) {
      breaks.push({
        rule: 'lathe/probe-repeated-nonce',
        cwe: 'CWE-330',
        severity: 'critical',
        line: answer.line,
        message: `${answer.function} used ${answer.distinctNonces} secret numbers for ${answer.signatures} messages: two signatures with the same one give the private key away`,
        help: 'Use deterministic signatures (RFC 6979).',
      });
    }
    return { breaks, unusable: null };
  },
};
