"""Records what the reference implementation (PyPI package `gguf`) makes of quantised blocks.

    python3 -m venv /tmp/gguf && /tmp/gguf/bin/pip install gguf==0.19.0
    /tmp/gguf/bin/python record.py > dequantise.json

For each type: stored bytes (base64) and the values as little-endian f32 (base64). Random bytes make blocks with every bit
pattern; the f16 scales are kept finite.
"""

import base64
import json

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize

# Byte offsets of f16 fields in a block.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "F16": [0],
}
BLOCKS = {"F32": 64, "F16": 64, "BF16": 64}

random = np.random.default_rng(20261124)


def blocks_of(name):
    _, size = GGML_QUANT_SIZES[Type[name]]
    count = BLOCKS.get(name, 4)
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    for offset in HALVES.get(name, []):
        halves = random.normal(0, 0.05, count).astype(np.float16)
        halves[0] = 0  # A constant block.
        halves[1] = np.float16(6e-8)  # Subnormal.
        blocks[:, offset : offset + 2] = halves.view(np.uint8).reshape(count, 2)
    if name == "F32":
        blocks[:] = random.normal(0, 1, count).astype(np.float32).view(np.uint8).reshape(count, 4)
    if name == "BF16":
        blocks[:, 1] &= 0xBF  # Keeps the exponent below all ones.
    return blocks.reshape(-1)


def base64_of(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


recorded = {}
for name in ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]:
    stored = blocks_of(name)
    values = dequantize(stored, Type[name]).astype("<f4").reshape(-1)
    assert np.isfinite(values).all(), name
    recorded[name] = {"bytes": base64_of(stored), "values": base64_of(values)}
print(json.dumps(recorded, indent=1))
