"""Signs a hundred messages through a candidate and compares what must never repeat."""

import re
import sys

import lathe_candidate as loader

MESSAGE = re.compile(r'message|msg|data|text|^m$|payload|string|content', re.I)
KEY = re.compile(r'key|^sk$|^k$|priv|secret|signer', re.I)


def makers():
    """Keys of the libraries at hand, each with the way to read r from a signature."""
    try:
        import ecdsa

        key = ecdsa.SigningKey.generate(curve=ecdsa.NIST256p)
        yield key, lambda signature: bytes(signature)[: len(signature) // 2]
        yield key.to_string(), lambda signature: bytes(signature)[: len(signature) // 2]
        yield key.to_pem(), lambda signature: bytes(signature)[: len(signature) // 2]
    except ImportError:
        pass
    try:
        from cryptography.hazmat.primitives.asymmetric import ec, utils

        yield ec.generate_private_key(ec.SECP256R1()), lambda signature: utils.decode_dss_signature(bytes(signature))[0]
    except ImportError:
        pass


def main():
    candidate, answer = loader.start(sys.argv[1])
    for name, required, node, function in candidate.functions():
        if not re.search(r'sign', name, re.I) or re.search(r'verif|main|test', name, re.I) or not 1 <= len(required) <= 2:
            continue
        keys = [one for one in required if KEY.search(one)]
        texts = [one for one in required if one not in keys]
        if len(texts) != 1:
            keys, texts = required[:1], required[1:]
        if not texts:
            continue
        for key, nonce_of in makers():
            for shape in (lambda number: b'message %d' % number, lambda number: f'message {number}'):

                def sign(number):
                    return function(**{one: key if one in keys else shape(number) for one in required})

                ending, first = loader.timed(lambda: sign(0))
                if ending != 'value' or not isinstance(first, (bytes, bytearray)) or len(first) < 40:
                    continue
                signatures = [first]
                for number in range(1, 100):
                    ending, signature = loader.timed(lambda number=number: sign(number))
                    if ending == 'value' and isinstance(signature, (bytes, bytearray)):
                        signatures.append(signature)
                ending, numbers = loader.timed(lambda: [nonce_of(signature) for signature in signatures])
                if ending != 'value':
                    continue
                answer(
                    {
                        'function': name,
                        'line': node.lineno,
                        'signatures': len(signatures),
                        'distinctNonces': len(set(numbers)),
                        'distinctSignatures': len({bytes(signature) for signature in signatures}),
                    }
                )
    answer({'unusable': 'no function signed a message with a key of the libraries here', 'missing': candidate.missing_modules()})


main()
