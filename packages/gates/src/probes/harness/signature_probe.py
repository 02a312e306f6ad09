"""Signs a hundred messages through a candidate and compares what must never repeat."""

import base64
import binascii
import re
import sys

import lathe_candidate as loader

MESSAGE = re.compile(r'message|msg|data|text|^m$|payload|string|content', re.I)
KEY = re.compile(r'key|^sk$|^k$|^d$|priv|secret|signer', re.I)
NUMBER = 0x1C2F3E4D5A69788796A5B4C3D2E1F00112233445566778899AABBCCDDEEFF00F
SHAPES = (lambda number: b'message %d' % number, lambda number: f'message {number}')
SHORTEST = 40  # bytes of a signature: twice the 160 bits of the smallest curve in use
HALVES = (48, 56, 64, 96, 132)  # bytes of r and s behind each other, by curve


def keys():
    """Keys of the libraries at hand in the forms that functions take them, then a bare number for ECDSA by hand."""
    try:
        import ecdsa

        key = ecdsa.SigningKey.generate(curve=ecdsa.NIST256p)
        yield from (key, key.to_string(), key.to_pem(), key.to_string().hex())
    except ImportError:
        pass
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        yield from (key, pem, pem.decode())
    except ImportError:
        pass
    yield from (NUMBER, NUMBER.to_bytes(32, 'big'))


def pieces(value):
    """What may be a signature in what was returned, in order: bytes, and pairs of numbers r and s."""
    if isinstance(value, (bytes, bytearray)):
        return [bytes(value)] if len(value) >= SHORTEST else []
    if isinstance(value, str):
        for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
            try:
                return pieces(decode(value))
            except (ValueError, binascii.Error):
                continue
        return []
    if isinstance(value, dict):
        value = [value['r'], value['s']] if {'r', 's'} <= value.keys() else list(value.values())
    elif hasattr(value, 'r') and hasattr(value, 's'):
        value = [value.r, value.s]
    if not isinstance(value, (tuple, list)):
        return []
    if len(value) == 2 and all(isinstance(one, int) and one > 2**64 for one in value):
        return [tuple(value)]
    return [piece for one in value for piece in pieces(one)]


def nonce_of(piece):
    """r of an ECDSA signature (SEC 1, 4.1.3): of a pair, of DER, of two halves; the whole where it is none of them."""
    if isinstance(piece, tuple):
        return piece[0]
    at = 3 if piece[1] == 0x81 else 2
    if piece[0] == 0x30 and piece[at] == 2 and len(piece) - at == piece[at - 1]:
        return piece[at + 2 : at + 2 + piece[at + 1]]
    return piece[: len(piece) // 2] if len(piece) in HALVES else piece


def counts(returned):
    """How many signatures there are, how many different ones, and how many secret numbers: of the piece that varies most, which leaves a key beside it out."""
    columns = list(zip(*(pieces(value) for value in returned)))
    if not columns:
        return None
    column = max(columns, key=lambda one: (len(set(one)), len({nonce_of(piece) for piece in one})))
    return len(column), len(set(column)), len({nonce_of(piece) for piece in column})


def main():
    candidate, answer = loader.start(sys.argv[1])
    for name, required, node, function in candidate.functions():
        if not re.search(r'sign', name, re.I) or re.search(r'verif|main|test', name, re.I) or not 1 <= len(required) <= 2:
            continue
        taken = [one for one in required if KEY.search(one)]
        texts = [one for one in required if one not in taken]
        if len(texts) != 1:
            taken, texts = required[:1], required[1:]
        if not texts:
            continue
        for key in keys() if taken else [None]:
            for shape in SHAPES:
                returned = []
                for number in range(100):
                    arguments = {one: key if one in taken else shape(number) for one in required}
                    ending, value = loader.timed(lambda arguments=arguments: function(**arguments))
                    if ending == 'value' and pieces(value):
                        returned.append(value)
                    elif number == 0:
                        break
                counted = counts(returned)
                if counted:
                    signatures, different, nonces = counted
                    answer(
                        {
                            'function': name,
                            'line': node.lineno,
                            'signatures': signatures,
                            'distinctNonces': nonces,
                            'distinctSignatures': different,
                        }
                    )
    answer({'unusable': 'no function signed a message with a key of the libraries here', 'missing': candidate.missing_modules()})


main()
