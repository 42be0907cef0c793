"""The talker's golden cases, computed by a plain full pass of the exported tensors' source (no vLLM, no cache)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.config import TalkerConfig
from cosyvoice.parity.golden import Case, Golden, deviation
from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker.layout import LengthLimits, TalkerPrompt, TalkerSequence
from cosyvoice.talker.sampling import padded_history, ras_log_probs


def talker_config(state: dict[str, Tensor], raw: dict[str, Any], head_rows: int) -> TalkerConfig:
    """Sizes from the fixture's metadata and tensors."""
    return TalkerConfig(
        hidden=raw["hidden_size"],
        layers=raw["num_hidden_layers"],
        heads=raw["num_attention_heads"],
        kv_heads=raw["num_key_value_heads"],
        ffn=state["llm.model.model.layers.0.mlp.gate_proj.weight"].shape[0],
        text_rows=raw["vocab_size"],
        speech_tokens=head_rows - 200,
        head_rows=head_rows,
        rope_theta=raw["rope_theta"],
        rms_eps=raw["rms_norm_eps"],
    )


def merged_embedding(state: dict[str, Tensor], config: TalkerConfig) -> Tensor:
    """The merged table: speech rows, then text rows (fixtures list only the text rows they use)."""
    text = torch.zeros(config.text_rows, config.hidden)
    text[state["embed_rows.ids"].long()] = state["embed_rows.weight"]
    return torch.cat([state["speech_embedding.weight"], text])


def qwen2_hidden(x: Tensor, state: dict[str, Tensor], config: TalkerConfig) -> Tensor:
    """Final-normed hidden states [T, hidden] of a causal pass over embeddings x [T, hidden]."""
    head_dim = config.hidden // config.heads
    groups = config.heads // config.kv_heads
    frequency = config.rope_theta ** (-torch.arange(0, head_dim, 2).float() / head_dim)
    angle = torch.outer(torch.arange(len(x)).float(), frequency)
    cos, sin = torch.cat([angle, angle], -1).cos(), torch.cat([angle, angle], -1).sin()

    def norm(z: Tensor, name: str) -> Tensor:
        return z * torch.rsqrt(z.pow(2).mean(-1, keepdim=True) + config.rms_eps) * state[name]

    def rotate(z: Tensor) -> Tensor:
        half = head_dim // 2
        return z * cos + torch.cat([-z[..., half:], z[..., :half]], -1) * sin

    for i in range(config.layers):
        layer = f"llm.model.model.layers.{i}."
        y = norm(x, layer + "input_layernorm.weight")
        q, k, v = (
            F.linear(y, state[f"{layer}self_attn.{n}_proj.weight"], state[f"{layer}self_attn.{n}_proj.bias"])
            .view(len(x), -1, head_dim)
            .transpose(0, 1)
            for n in "qkv"
        )
        k, v = rotate(k).repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
        attended = F.scaled_dot_product_attention(rotate(q)[None], k[None], v[None], is_causal=True)[0]
        x = x + F.linear(attended.transpose(0, 1).flatten(1), state[layer + "self_attn.o_proj.weight"])
        y = norm(x, layer + "post_attention_layernorm.weight")
        gate = F.silu(F.linear(y, state[layer + "mlp.gate_proj.weight"]))
        x = x + F.linear(gate * F.linear(y, state[layer + "mlp.up_proj.weight"]), state[layer + "mlp.down_proj.weight"])
    return norm(x, "llm.model.model.norm.weight")


def original_draw(scores: Tensor, tail: list[int], config: SamplingConfig, generator: torch.Generator | None) -> int:
    """One draw by the original's two steps (nucleus, then full without the repeated id)."""
    p, order = scores.softmax(0).sort(descending=True, stable=True)
    keep = ((p.cumsum(0) - p) < config.top_p)[: config.top_k]
    kept = p[: config.top_k][keep]
    pick = int(order[torch.multinomial(kept, 1, replacement=True, generator=generator)])
    if tail[-config.window :].count(pick) >= config.window * config.tau:
        again = scores.clone()
        again[pick] = float("-inf")
        pick = int(torch.multinomial(again.softmax(0), 1, replacement=True, generator=generator))
    return pick


def talker_cases(golden: Golden) -> Iterator[Case]:
    """Embeddings, hidden states and log-probabilities of both layouts; nucleus and draws of RAS."""
    state, meta = golden.tensors("tiny_llm")
    head = state["llm_decoder.weight"]
    config = talker_config(state, meta["config"], len(head))
    table = merged_embedding(state, config)
    wide = LengthLimits(0, 1000, 1000)

    u, _ = golden.tensors("llm_unistream")
    eop = u["prompt_text"][0].tolist().index(151646) + 1 if 151646 in u["prompt_text"][0].tolist() else 0
    prompt_text = u["prompt_text"][0].tolist()
    prompt = TalkerPrompt(
        tuple(prompt_text[:eop]), tuple(prompt_text[eop:]), tuple(u["prompt_speech_token"][0].tolist())
    )
    sequence = TalkerSequence(config, prompt, wide, bistream=False)
    sequence.feed(u["text"][0].tolist())
    sequence.end()
    first = sequence.next_quantum(1)
    assert first is not None
    prefill = table[torch.tensor(first.ids)]
    yield Case("talker unistream embeddings", deviation(prefill, u["prefill_embeds"]), 0.0)
    yield Case("talker unistream hidden", deviation(qwen2_hidden(prefill, state, config), u["prefill_hidden"]), 1e-4)
    ids = first.ids + u["tokens"].tolist()
    logits = F.linear(qwen2_hidden(table[torch.tensor(ids)], state, config), head)
    log_p = logits.log_softmax(-1)[len(first.ids) - 1 :]
    step = u["step_logp"][: len(log_p)]
    finite = step > -1e30
    yield Case("talker unistream log-probs", deviation(log_p[finite], step[finite]), 2e-4)

    b, _ = golden.tensors("llm_bistream_p20")
    trace = golden.json("llm_bistream_p20")
    fed = [[int(z[1:]) + (config.head_rows if z[0] == "T" else 0) for z in c] for c in trace["inputs_fed_per_forward"]]
    ends = torch.tensor([len(c) for c in fed]).cumsum(0) - 1
    hidden = qwen2_hidden(table[torch.tensor([i for c in fed for i in c])], state, config)
    yield Case("talker bistream log-probs", deviation(F.linear(hidden, head).log_softmax(-1)[ends], b["logp"]), 2e-4)

    yield from ras_cases(golden)


def ras_cases(golden: Golden) -> Iterator[Case]:
    """The nucleus as the original cuts it, the picks of its seeds, and that the closed form allows exactly these."""
    scores, meta = golden.tensors("ras")
    config = SamplingConfig()
    nucleus = wrong = impossible = 0.0
    for i, case in enumerate(meta["cases"]):
        s = scores[f"scores{i}"]
        p, order = s.softmax(0).sort(descending=True, stable=True)
        n = len(case["nucleus_ids"])
        nucleus = max(nucleus, deviation(p[:n], torch.tensor(case["nucleus_p"])))
        wrong += float(order[:n].tolist() != case["nucleus_ids"])
        closed = ras_log_probs(s[None], torch.tensor(padded_history([case["decoded_tail"]], config.window)), config)[0]
        for seed, pick in enumerate(case["picks_for_torch_seed_0_39"]):
            torch.manual_seed(seed)
            wrong += float(original_draw(s, case["decoded_tail"], config, None) != pick)
            impossible += float(closed[pick].isneginf())
    yield Case("ras nucleus probabilities", nucleus, 1e-6)
    yield Case("ras picks of 40 seeds (count of differences)", wrong, 0.0)
    yield Case("ras picks the closed form rules out (count)", impossible, 0.0)
