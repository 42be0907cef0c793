"""The golden end-to-end case: text ids to greedy speech tokens, offline mel and streamed waves."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from cosyvoice.flow.flow import Flow
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.parity.flow import MEL_TOLERANCE, flow_config
from cosyvoice.parity.golden import Case, Golden, deviation
from cosyvoice.parity.talker import merged_embedding, qwen2_hidden, talker_config
from cosyvoice.talker.layout import LengthLimits, TalkerPrompt, TalkerSequence
from cosyvoice.talker.silence import SilenceGate


def end_to_end_cases(golden: Golden) -> Iterator[Case]:
    """Greedy tokens up to the recorded end of speech, through the silence filter, to the offline mel."""
    e, meta = golden.tensors("e2e")
    state, raw = golden.tensors("tiny_llm")
    head = state["llm_decoder.weight"]
    config = talker_config(state, raw["config"], len(head))
    table = merged_embedding(state, config)
    text = e["prompt_text"][0].tolist()
    prompt = TalkerPrompt(tuple(text), (), tuple(e["llm_prompt_speech_token"][0].tolist()))
    sequence = TalkerSequence(config, prompt, LengthLimits(0, 1000, meta["eos_at"]), bistream=False)
    sequence.feed(e["text"][0].tolist())
    sequence.end()
    while (quantum := sequence.next_quantum(1)) is not None:
        hidden = qwen2_hidden(table[torch.tensor(quantum.ids)], state, config)[-1]
        sequence.accept([int(F.linear(hidden, head)[: config.speech_tokens].argmax())])
    tokens = SilenceGate(meta["silent_tokens"], 5).filter(sequence.generated)

    f, _ = golden.tensors("flow_offline")
    weights, _ = golden.tensors("tiny_flow")
    _, dit = golden.tensors("dit")
    flow = Flow(flow_config(weights, dit))
    flow.load_state_dict(weights, strict=True)
    mel = FlowStepper(flow, FlowMemory(flow.config)).full(
        tokens, f["prompt_token"], f["prompt_feat"], f["embedding"], block_mask=False, finalize=True
    )
    yield Case("text to offline mel, greedy", deviation(mel, e["mel_offline"]), MEL_TOLERANCE)
