"""Encrypts, repeats, changes and decrypts through a candidate's pair of functions or class."""

import base64
import inspect
import itertools
import os
import re
import sys

import lathe_candidate as loader

ENCRYPT = re.compile(r'encrypt|encipher|cipher_text|(^|_)enc(_|$|ode|[A-Z])|(^|_)seal', re.I)
DECRYPT = re.compile(r'decrypt|decipher|(^|_)dec(_|$|ode|[A-Z])|unseal|(^|_)open(_|$)', re.I)
KEY = re.compile(r'key|^k$|pass|secret|shift|pwd|^s$|offset|rot', re.I)
NONCE = re.compile(r'nonce|iv$|^iv|vector|salt', re.I)
TAG = re.compile(r'tag|mac', re.I)
ASSOCIATED = re.compile(r'associated|aad$|^ad$|header', re.I)

LONG = 'attack at dawn, sixteen or more!' * 4  # 128 characters, eight equal pairs of blocks


def keys():
    yield base64.urlsafe_b64encode(bytes(range(7, 39)))
    yield base64.urlsafe_b64encode(bytes(range(7, 39))).decode()
    yield bytes(range(1, 33))
    yield bytes(range(1, 17))
    yield 'a sixteen letter'
    yield 'thirty two letters are in a key!'
    yield b'8 bytes!'
    yield 'lemon'
    yield 3
    yield [3, 1, 4, 1, 5]


def texts():
    yield LONG
    yield LONG.encode()
    yield 'attackatdawn' * 4
    yield 'attackatdawnattackatdawnattackat'
    yield 'ATTACKATDAWN' * 4
    yield list('attackatdawn')
    yield 'one block of aes'
    yield b'one block of aes'


def changed(text):
    """The same kind of text with its first letter replaced."""
    if isinstance(text, bytes):
        return b'b' + text[1:]
    if isinstance(text, list):
        return ['b', *text[1:]]
    return ('B' if text[0].isupper() else 'b') + text[1:]


def parts(cipher):
    """The pieces of a ciphertext; the body is the longest."""
    if isinstance(cipher, dict):
        return list(cipher.values()) or ['']
    return list(cipher) if isinstance(cipher, (tuple, list)) and not all(isinstance(one, (int, str)) and len(str(one)) <= 1 for one in cipher) else [cipher]


def rebuilt(cipher, body, wrong):
    """The ciphertext with its body replaced."""
    if isinstance(cipher, dict):
        return {name: wrong if piece is body else piece for name, piece in cipher.items()}
    return wrong if len(parts(cipher)) == 1 else type(cipher)(wrong if piece is body else piece for piece in cipher)


def plain(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode('latin-1')
    if isinstance(value, (list, tuple)):
        return ''.join(str(one) for one in value)
    return str(value)


def raw(value):
    """Bytes of a ciphertext, with text encodings of bytes undone."""
    if isinstance(value, (bytes, bytearray)):
        text = bytes(value)
    elif isinstance(value, str):
        text = value.encode('latin-1', 'replace')
    else:
        return None
    if re.fullmatch(rb'[0-9a-fA-F]+', text) and len(text) % 2 == 0:
        return bytes.fromhex(text.decode())
    if re.fullmatch(rb'[A-Za-z0-9+/=_-]+', text) and len(text) % 4 == 0:
        try:
            return base64.urlsafe_b64decode(text.replace(b'+', b'-').replace(b'/', b'_'))
        except ValueError:
            return text
    return text


def flipped(value, at):
    """The value with one character or byte changed, kept in the alphabet it is written in."""
    if isinstance(value, (bytes, bytearray)):
        printable = re.fullmatch(rb'[A-Za-z0-9+/=_-]+', bytes(value)) is not None
        new = bytearray(value)
        new[at] = (ord('A') if new[at] != ord('A') else ord('B')) if printable else new[at] ^ 1
        return bytes(new)
    if isinstance(value, str):
        return value[:at] + ('A' if value[at] != 'A' else 'B') + value[at + 1:]
    return [*value[:at], 'A' if value[at] != 'A' else 'B', *value[at + 1:]]


class Scheme:
    """A way of calling the two functions that brings a text back."""

    def __init__(self, encrypt, decrypt, encrypt_line, name):
        self.encrypt_function, self.decrypt_function, self.line, self.name = encrypt, decrypt, encrypt_line, name
        self.nonce_size = 16
        self.nonce = b''

    def arguments(self, function, key, text, extra, leave_out_tag=False):
        """Values by the names of the parameters; None where one cannot be guessed."""
        values = {}
        free, keyed = [], []
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            name, optional = parameter.name, parameter.default is not parameter.empty
            if ASSOCIATED.search(name):
                if not optional:
                    values[name] = b'header'
            elif TAG.search(name) and not KEY.search(name):
                if leave_out_tag and optional:
                    continue
                if 'tag' in extra:
                    values[name] = extra['tag']
                elif not optional:
                    return None
            elif NONCE.search(name) and not KEY.search(name):
                if optional and 'nonce' not in extra:
                    continue
                values[name] = extra.get('nonce', self.nonce)
            elif KEY.search(name):
                if not optional:
                    values[name] = key
                    keyed.append(name)
            elif not optional:
                free.append(name)
        if not free and len(keyed) == 2:
            # `encrypt(s, k)`: of two names that can mean a key, the less telling one is the text.
            other = next((one for one in keyed if not re.search(r'key|^k$|pass|secret', one, re.I)), keyed[0])
            del values[other]
            free = [other]
        if len(free) == 2 and len(values) == 0:
            values[free[1]] = key
            free = free[:1]
        if len(free) != 1:
            return None
        values[free[0]] = text
        return values

    def encrypt(self, key, text):
        # A nonce that the caller passes is the caller's to keep fresh.
        self.nonce = os.urandom(self.nonce_size)
        values = self.arguments(self.encrypt_function, key, text, {})
        if values is None:
            return ('raised', 'parameters')
        return loader.timed(lambda: self.encrypt_function(**values))

    def decrypt(self, key, cipher, leave_out_tag=False):
        """Tries the ciphertext whole and in the orders in which its pieces can be body, nonce and tag."""
        pieces = parts(cipher)
        attempts = [(cipher, {})]
        if 2 <= len(pieces) <= 3:
            body = max(pieces, key=lambda piece: len(plain(piece)))
            rest = [piece for piece in pieces if piece is not body]
            for order in itertools.permutations(rest):
                attempts.append((body, dict(zip(('nonce', 'tag'), order))))
                attempts.append((body, dict(zip(('tag', 'nonce'), order))))
        last = ('raised', 'parameters')
        for body, extra in attempts:
            values = self.arguments(self.decrypt_function, key, body, extra, leave_out_tag)
            if values is None:
                continue
            last = loader.timed(lambda values=values: self.decrypt_function(**values))
            if last[0] == 'value' and last[1] is not None and last[1] is not False:
                return last
        return last


def schemes(candidate):
    functions = list(candidate.functions())
    pairs = [
        Scheme(one[3], other[3], one[2].lineno, one[0])
        for one in functions
        for other in functions
        if ENCRYPT.search(one[0]) and not DECRYPT.search(one[0]) and DECRYPT.search(other[0])
    ]
    for name, cls in list(candidate.namespace.items()):
        if inspect.isclass(cls) and cls.__module__ == 'candidate':
            methods = dict(inspect.getmembers(cls, inspect.isfunction))
            one = next((method for method in methods if ENCRYPT.search(method) and not DECRYPT.search(method)), None)
            other = next((method for method in methods if DECRYPT.search(method)), None)
            if one and other:
                pairs.append(ClassScheme(cls, one, other, name))
    return pairs


class ClassScheme(Scheme):
    def __init__(self, cls, encrypt, decrypt, name):
        self.cls, self.one, self.other = cls, encrypt, decrypt
        self.line = getattr(cls, "__firstlineno__", 1)
        self.name = f'{name}.{encrypt}'
        self.nonce_size = 16
        self.nonce = b''

    def made(self, key):
        values = []
        for parameter in list(inspect.signature(self.cls).parameters.values()):
            if parameter.default is not parameter.empty:
                continue
            values.append(16 if re.search(r'size|sz|block|len', parameter.name, re.I) else key)
        instance = self.cls(*values)
        self.encrypt_function = getattr(instance, self.one)
        self.decrypt_function = getattr(instance, self.other)

    def encrypt(self, key, text):
        ending, why = loader.timed(lambda: self.made(key))
        return super().encrypt(key, text) if ending == 'value' else (ending, why)


def examine(scheme):
    """The first key and text the scheme works with, and what is wrong with what it makes of them."""
    working = None
    for key, scheme.nonce_size in itertools.product(keys(), (16, 12)):
        for text in texts():
            ending, cipher = scheme.encrypt(key, text)
            if ending != 'value' or cipher is None or plain(cipher) == plain(text) or len(plain(cipher)) == 0:
                continue
            back = scheme.decrypt(key, cipher)
            round_trip = back[0] == 'value' and plain(back[1]) == plain(text)
            if working is None or (round_trip and not working[3]):
                working = (key, text, cipher, round_trip, scheme.nonce)
            if round_trip:
                break
        if working and working[3]:
            break
    if working is None:
        return None
    key, text, cipher, round_trip, nonce = working
    problems = []
    second = scheme.encrypt(key, text)
    other = scheme.encrypt(key, changed(text))
    repeats = second[0] == 'value' and plain(second[1]) == plain(cipher)
    if repeats:
        problems.append({'kind': 'repeated', 'input': f'the same text twice, key {key!r:.24}'})
        if other[0] == 'value' and len(plain(other[1])) == len(plain(cipher)):
            differing = sum(a != b for a, b in zip(plain(other[1]), plain(cipher)))
            if 0 < differing <= 2 and len(plain(cipher)) > 8:
                problems.append({'kind': 'letterwise', 'input': f'two texts that differ in one letter, key {key!r:.24}'})
    body = max(parts(cipher), key=lambda piece: len(plain(piece)))
    data = raw(body)
    if data and len(data) >= 64:
        blocks = [data[at:at + 16] for at in range(0, len(data) - 15, 16)]
        if len(set(blocks)) < len(blocks):
            problems.append({'kind': 'blocks', 'input': 'a text of equal blocks'})
    scheme.nonce = nonce
    if round_trip and len(plain(body)) > 4:
        accepted = 0
        tried = 0
        for at in sorted({len(body) // 2, len(body) // 3, len(body) - 2}):
            wrong = flipped(body, at)
            damaged = rebuilt(cipher, body, wrong)
            for leave_out_tag in (False, True):
                tried += 1
                ending, value = scheme.decrypt(key, damaged, leave_out_tag)
                if ending == 'value' and value is not None and value is not False and plain(value) != plain(text):
                    accepted += 1
                    break
        if accepted:
            problems.append({'kind': 'tampered', 'input': f'a ciphertext with one changed byte ({accepted} of 3 places)'})
    return {'function': scheme.name, 'line': scheme.line, 'roundTrip': round_trip, 'problems': problems}


def main():
    candidate, answer = loader.start(sys.argv[1])
    found = None
    for scheme in schemes(candidate):
        result = examine(scheme)
        if result and (found is None or (result['roundTrip'] and not found['roundTrip'])):
            found = result
    answer(found or {'unusable': 'no pair of functions encrypted a text', 'missing': candidate.missing_modules()})


main()
