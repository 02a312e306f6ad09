"""Log-probabilities of tokens under a GGUF base with LoRA adapters, by transformers and PEFT: what record-exported.js records.

    python peft_score.py BASE.gguf ADAPTER_FOLDER '[1, 2, 3]'

Needs torch, transformers, peft and gguf.
"""

import json
import os
import sys

import peft
import torch
import transformers

base_path, adapters, tokens = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
folder, name = os.path.split(base_path)
model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
ids = torch.tensor([tokens])


def score(evaluated):
    with torch.no_grad():
        log_probabilities = evaluated(ids).logits[0].log_softmax(-1)
    return [float(log_probabilities[i, tokens[i + 1]]) for i in range(len(tokens) - 1)]


base = score(model)
adapted = score(peft.PeftModel.from_pretrained(model, adapters).eval())
print(json.dumps({"peft": peft.__version__, "transformers": transformers.__version__, "base": base, "adapted": adapted}))
