"""Records what PyTorch computes for small models of both presets, for the tests of training.

    python bench/peers/record_torch.py > packages/transformer/src/train/__fixtures__/torch.json

For each preset: parameters, one batch, the loss and its gradients in double precision, and the losses and parameters
after five steps of AdamW and of SGD on that batch. Written from the formulas, apart from Lathe's own code.
"""

import json
import math

import torch
import torch.nn.functional as F

B, T, C, H, FF, V, LAYERS = 2, 6, 8, 2, 12, 11, 2
D = C // H
STEPS, SMOOTHING = 5, 0.1
ADAMW = {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weightDecay": 0.1, "rate": 0.01}
SGD = {"momentum": 0.9, "weightDecay": 0.1, "rate": 0.05}
torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def shapes(preset):
    g = H // 2 if preset == "llama" else H  # query heads share keys and values in groups of two
    yield "token_embd.weight", [V, C]
    for l in range(LAYERS):
        b = f"blk.{l}."
        yield b + "attn_q.weight", [C, C]
        yield b + "attn_k.weight", [g * D, C]
        yield b + "attn_v.weight", [g * D, C]
        yield b + "attn_output.weight", [C, C]
        yield b + "attn_norm.weight", [C]
        yield b + "ffn_norm.weight", [C]
        yield b + "ffn_up.weight", [FF, C]
        yield b + "ffn_down.weight", [C, FF]
        if preset == "llama":
            yield b + "ffn_gate.weight", [FF, C]
        else:
            for name, size in (("attn_norm", C), ("ffn_norm", C), ("ffn_up", FF), ("ffn_down", C)):
                yield f"{b}{name}.bias", [size]
    if preset == "llama":
        yield "output_norm.weight", [C]


def start(name, shape):
    noise = 0.4 * torch.randn(shape)
    value = noise + 1 if len(shape) == 1 and not name.endswith("bias") else noise
    return value.float().double().requires_grad_()  # exact in single precision


def rotate(x):  # [B, heads, T, D], neighbouring pairs
    angle = torch.arange(T)[:, None] * 10_000.0 ** (-torch.arange(D // 2) * 2 / D)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.stack([even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos()], -1)
    return turned.flatten(-2)


def attention(p, b, x, turn):
    heads = lambda y: y.view(B, T, -1, D).transpose(1, 2)
    q, k, v = (heads(x @ p[f"{b}attn_{n}.weight"].T) for n in "qkv")
    if turn:
        q, k = rotate(q), rotate(k)
    k, v = (y.repeat_interleave(H // y.shape[1], 1) for y in (k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(D)
    scores = scores.masked_fill(torch.triu(torch.ones(T, T, dtype=torch.bool), 1), -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, C) @ p[b + "attn_output.weight"].T


def llama(p, tokens):
    norm = lambda x, n: F.rms_norm(x, (C,), p[n + ".weight"], 1e-5)
    x = p["token_embd.weight"][tokens]
    for l in range(LAYERS):
        b = f"blk.{l}."
        x = x + attention(p, b, norm(x, b + "attn_norm"), True)
        y = norm(x, b + "ffn_norm")
        x = x + (F.silu(y @ p[b + "ffn_gate.weight"].T) * (y @ p[b + "ffn_up.weight"].T)) @ p[b + "ffn_down.weight"].T
    return norm(x, "output_norm") @ p["token_embd.weight"].T


def vaswani(p, tokens):
    norm = lambda x, n: F.layer_norm(x, (C,), p[n + ".weight"], p[n + ".bias"], 1e-5)
    angle = torch.arange(T)[:, None] / 10_000.0 ** (torch.arange(0, C, 2) / C)
    places = torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)
    x = p["token_embd.weight"][tokens] * math.sqrt(C) + places
    for l in range(LAYERS):
        b = f"blk.{l}."
        x = norm(x + attention(p, b, x, False), b + "attn_norm")
        y = F.relu(F.linear(x, p[b + "ffn_up.weight"], p[b + "ffn_up.bias"]))
        x = norm(x + F.linear(y, p[b + "ffn_down.weight"], p[b + "ffn_down.bias"]), b + "ffn_norm")
    return x @ p["token_embd.weight"].T


def rounded(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def record(preset, model):
    first = {name: start(name, shape) for name, shape in shapes(preset)}
    tokens = torch.randint(V, (B, T))
    targets = torch.randint(V, (B, T))
    smoothing = SMOOTHING if preset == "vaswani-2017" else 0.0
    loss_of = lambda p: F.cross_entropy(model(p, tokens).view(-1, V), targets.view(-1), label_smoothing=smoothing)

    def run(make):
        p = {name: value.detach().clone().requires_grad_() for name, value in first.items()}
        decayed = [value for value in p.values() if value.dim() > 1]
        others = [value for value in p.values() if value.dim() == 1]
        optimiser = make(decayed, others)
        losses = []
        for _ in range(STEPS):
            loss = loss_of(p)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return {"losses": losses, "parameters": {name: rounded(value) for name, value in p.items()}}

    groups = lambda decayed, others, decay: [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0}]
    adamw = lambda d, o: torch.optim.AdamW(groups(d, o, ADAMW["weightDecay"]), lr=ADAMW["rate"], betas=(ADAMW["beta1"], ADAMW["beta2"]), eps=ADAMW["epsilon"])
    sgd = lambda d, o: torch.optim.SGD(groups(d, o, SGD["weightDecay"]), lr=SGD["rate"], momentum=SGD["momentum"])
    loss = loss_of(first)
    loss.backward()
    return {
        "preset": preset,
        "labelSmoothing": smoothing,
        "tokens": tokens.flatten().tolist(),
        "targets": targets.flatten().tolist(),
        "parameters": {name: rounded(value) for name, value in first.items()},
        "loss": loss.item(),
        "gradients": {name: rounded(value.grad) for name, value in first.items()},
        "adamw": run(adamw),
        "sgd": run(sgd),
    }


sizes = {"batchSize": B, "blockSize": T, "nEmbd": C, "nHead": H, "nFeedForward": FF, "vocabSize": V, "nLayer": LAYERS}
document = {
    "torch": torch.__version__,
    "sizes": sizes,
    "adamw": ADAMW,
    "sgd": SGD,
    "models": [record("llama", llama), record("vaswani-2017", vaswani)],
}
print(json.dumps(document, separators=(",", ":")))
