import { inBothLanguages } from './harness.ts';
import { type Break, isVerdict, type Probe, usable } from './probe.ts';

interface Answer {
  readonly function: string;
  readonly line: number;
  readonly roundTrip: boolean;
  readonly problems: readonly {
    readonly kind: 'repeated' | 'letterwise' | 'blocks' | 'tampered';
    readonly input: string;
  }[];
}

const MEANING: Readonly<
  Record<Answer['problems'][number]['kind'], Omit<Break, 'line' | 'message'> & { readonly effect: string }>
> = {
  repeated: {
    rule: 'lathe/probe-repeated-ciphertext',
    cwe: 'CWE-329',
    severity: 'high',
    effect: 'gave the same ciphertext: equal texts show',
    help: 'Take a fresh random nonce for each message.',
  },
  letterwise: {
    rule: 'lathe/probe-letterwise-cipher',
    cwe: 'CWE-327',
    severity: 'high',
    effect: 'gave ciphertexts that differ in that place alone: the text can be worked out letter by letter',
    help: 'Use an authenticated cipher of a kept library.',
  },
  blocks: {
    rule: 'lathe/probe-repeated-blocks',
    cwe: 'CWE-327',
    severity: 'high',
    effect: 'gave equal blocks of ciphertext: the shape of the text shows',
    help: 'Use an authenticated mode such as AES-GCM.',
  },
  tampered: {
    rule: 'lathe/probe-tampered-ciphertext',
    cwe: 'CWE-353',
    severity: 'medium',
    effect: 'was decrypted without complaint: changes are not noticed',
    help: 'Use an authenticated mode such as AES-GCM, or Fernet.',
  },
};

/** A pair of functions, or a class, that encrypts and decrypts with a given key. */
export const cipherProbe: Probe = {
  name: 'cipher',
  looksFor: 'weaknesses of the encryption, by running it',
  ...inBothLanguages('cipher_probe'),
  applies: ({ language, text }) =>
    (language === 'python' &&
      /\bdef\s+\w*(encr|encipher|seal|enc_|_enc|encode)/i.test(text) &&
      /\bdef\s+\w*(decr|decipher|open|dec_|_dec|decode|unseal)/i.test(text)) ||
    (/^(javascript|typescript)$/.test(language) &&
      /\b(encrypt|encipher|seal)\w*\s*(=|\(|:)/i.test(text) &&
      /\b(decrypt|decipher|unseal)\w*\s*(=|\(|:)/i.test(text)),
  judge(output) {
    const answer = usable<Answer>(output);
    if (isVerdict(answer)) return answer;
    return {
      breaks: answer.problems.map(({ kind, input }) => {
        const { effect, ...meaning } = MEANING[kind];
        return { ...meaning, line: answer.line, message: `${answer.function}: ${input} ${effect}` };
      }),
      unusable:
        answer.roundTrip || answer.problems.length > 0
          ? null
          : 'no text came back from decryption, so that changes to the ciphertext were not tried',
    };
  },
};
