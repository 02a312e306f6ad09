/**
 * GPT-2's reversible alphabet: every byte is one printable character, so that a vocabulary is text. Printable Latin-1
 * bytes stand for themselves, the other 68 for U+0100 upwards in order.
 * Source: Radford et al. 2019, the released encoder's byte table.
 */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = alphabet();

function alphabet(): Map<string, number> {
  const bytes = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    bytes.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return bytes;
}

const CHARACTER_OF_BYTE = [...BYTE_OF_CHARACTER].reduce<string[]>((characters, [character, byte]) => {
  characters[byte] = character;
  return characters;
}, []);

/** The vocabulary entry that stands for the bytes. */
export function wordOfBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => CHARACTER_OF_BYTE[byte]!).join('');
}

/** The bytes a vocabulary entry stands for, or null where a character is outside the alphabet. */
export function bytesOfWord(word: string): Uint8Array | null {
  const bytes = new Uint8Array(word.length);
  for (let i = 0; i < word.length; i++) {
    const byte = BYTE_OF_CHARACTER.get(word[i]!);
    if (byte === undefined) return null;
    bytes[i] = byte;
  }
  return bytes;
}
