"""The llama preset in PyTorch, trained on CPU: the peer of `npm run bench -- train`.

Reads one JSON line of sizes, then steps on request: for every line on standard input it runs that many steps and answers
with {"ms": total, "loss": last, "rss": peak bytes}. Needs torch; Lathe itself does not.
"""

import json
import math
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, self.gain.shape, self.gain, 1e-5)


class Block(nn.Module):
    def __init__(self, c, heads, f, layers):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = RMSNorm(c), RMSNorm(c)
        self.q, self.k, self.v, self.o = (nn.Linear(c, c, bias=False) for _ in range(4))
        self.gate, self.up = nn.Linear(c, f, bias=False), nn.Linear(c, f, bias=False)
        self.down = nn.Linear(f, c, bias=False)
        for linear in (self.q, self.k, self.v, self.gate, self.up):
            nn.init.normal_(linear.weight, std=0.02)
        for linear in (self.o, self.down):
            nn.init.normal_(linear.weight, std=0.02 / math.sqrt(2 * layers))

    def forward(self, x, cos, sin):
        b, t, c = x.shape
        y = self.norm1(x)
        split = lambda z: z.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        q, k, v = rotate(split(self.q(y)), cos, sin), rotate(split(self.k(y)), cos, sin), split(self.v(y))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(b, t, c))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


def rotate(x, cos, sin):
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class Model(nn.Module):
    def __init__(self, s):
        super().__init__()
        c, half = s["nEmbd"], s["nEmbd"] // s["nHead"] // 2
        self.embedding = nn.Embedding(s["vocabSize"], c)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(c, s["nHead"], s["nFeedForward"], s["nLayer"]) for _ in range(s["nLayer"]))
        self.norm = RMSNorm(c)
        angles = torch.outer(torch.arange(s["blockSize"]).float(), 10000 ** (-torch.arange(half).float() / half))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = self.norm(x) @ self.embedding.weight.T
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


def main():
    sizes = json.loads(sys.stdin.readline())
    torch.set_num_threads(sizes["threads"])
    torch.manual_seed(1)
    model = Model(sizes)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    kept = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": kept, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    data = torch.frombuffer(bytearray(open(sizes["data"], "rb").read()), dtype=torch.uint8).long()
    b, t = sizes["batchSize"], sizes["blockSize"]
    print(json.dumps({"parameters": sum(p.numel() for p in model.parameters()), "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            at = torch.randint(len(data) - t - 1, (b,))
            tokens = torch.stack([data[i : i + t] for i in at])
            targets = torch.stack([data[i + 1 : i + t + 1] for i in at])
            loss = model(tokens, targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        ms = 1000 * (time.perf_counter() - started)
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"ms": ms, "loss": loss.item(), "rss": rss}), flush=True)


main()
