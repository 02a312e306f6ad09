/** Texts for the comparison of tokenizers: code, scripts of the world, emoji, white space, every code point that matters. */
import { PROMPTS } from './prompts.js';

const SCRIPTS = [
  'The quick brown fox jumps over the lazy dog. It’s 3 o’clock; they’re late, I’d say, we’ll see, I\'m SURE they\'VE gone.',
  'Ärger, Öl und Übermut: ß, ſ, ﬁ, naïve café, coöperate, Łódź, İstanbul, ıslık',
  'Съешь же ещё этих мягких французских булок, да выпей чаю. 2024-й год',
  'Ξεσκεπάζω την ψυχοφθόρα βδελυγμία',
  '我能吞下玻璃而不伤身体。全角数字１２３，标点「」、……',
  'いろはにほへと ちりぬるを カタカナ ﾊﾝｶｸ',
  '키스의 고유조건은 입술끼리 만나야 하고',
  'نص حكيم له سر قاطع ١٢٣٤ وذو شأن عظيم',
  'דג סקרן שט בים מאוכזב ולפתע מצא חברה',
  'ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण १२३',
  'นายสังฆภัณฑ์ เฮงพิทักษ์ฝั่ง',
  'Zażółć gęślą jaźń. Příliš žluťoučký kůň. Tiếng Việt có dấu.',
  'e\u0301 combining, a\u030a\u0323 stacked, \u200bzero\u200dwidth\ufeff marks, \u00adsoft',
  '½ ² ³ Ⅷ ① ٣ ৩ 𝟘𝟙𝟚 𝓐𝓑𝓒 𐍈 𠜎',
];

const EMOJI = [
  '😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇯🇵 ❤️ ☕️ 🫠 1️⃣',
  'done ✅ in 3s 🚀🚀🚀 (was 10s) 🤷‍♂️',
  '😀😀😀😀😀😀😀😀😀😀',
];

const WHITE_SPACE = [
  '', ' ', '  ', '   ', '\n', '\n\n', '\n\n\n', '\t', '\t\t', '\r\n', '\r\n\r\n', ' \n', '\n ', ' \n \n ',
  ...[4, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 257].flatMap((n) => [' '.repeat(n), `${' '.repeat(n)}x`, '\t'.repeat(n), '\n'.repeat(n)]),
  'a  b   c    d     e', 'a\tb\t\tc', '\u00a0\u2003\u3000\u2028\u0085x \u1680y\u202fz', 'tail   ', '   head', 'a \n\n  b\n\t\n c\r\r\nd',
];

const CODE = [
  'if (a<=b&&c!==d||!e){return x??y?.z;}//ok',
  'for(int i=0;i<10;++i)a[i]=i*0x1F+1e-9;',
  "const s = `a${b}\\n\\t\\u{1F600}`; let r = /^(?:\\d{3}-)?\\w+$/giu;",
  '    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n\n\n',
  '{"a": [1, 22, 333, 4444, 55555, 666666, 7777777], "b": null, "c": -1.5e+10}',
  '<div class="a-b_c" style=\'x:y\'>&nbsp;&#x27;</div>',
  'SELECT * FROM t WHERE a=\'it\'\'s\' -- comment\n',
  '\\\\server\\share\\*.txt C:\\Users\\x ~/.config/../a.b',
  'snake_case camelCase PascalCase SCREAMING_CASE kebab-case x1y2z3 __proto__ constructor toString',
  '=== !== ==> <== >>>= ... ---- ____ ##### ******** //////// %%%% ^^^ ~~~ ||| &&& @@@ $$$',
  '12345678901234567890 3.14159 1,000,000 0b1010 0o755 10% $5.00 №7',
  "'s 't 're 've 'm 'll 'd 'S 'T 'RE 'Ve 'M 'LL 'D 'ſ x'sy don't DON'T ’s",
  '<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n',
  '<|endoftext|><|im_start|><|im_end|><repo_name>a/b<file_sep>c.py\n<|im_end|',
];

/** Every code point below U+0800, and every 251st above, alone and between letters: every byte that UTF-8 can hold. */
function codePoints() {
  const texts = [];
  const add = (from, to, step) => {
    let text = '';
    for (let point = from; point < to; point += step) {
      if (point >= 0xd800 && point < 0xe000) continue;
      text += `${String.fromCodePoint(point)} x${String.fromCodePoint(point)}y`;
      if (text.length > 1500) {
        texts.push(text);
        text = '';
      }
    }
    texts.push(text);
  };
  add(1, 0x800, 1);
  add(0x800, 0x11000, 251);
  add(0x11000, 0x110000, 4001);
  return texts;
}

export const CORPUS = [...WHITE_SPACE, ...SCRIPTS, ...EMOJI, ...CODE, ...codePoints(), ...PROMPTS];
