"""The talker process with real vLLM on the embedded checkpoint."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cosyvoice.checkpoint import load_talker_state
from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from cosyvoice.parity.talker import qwen2_hidden
from cosyvoice.talker.layout import Finish, LengthLimits, TalkerPrompt, TalkerSequence
from cosyvoice.talker.sampling import keyed_gumbel, padded_history, ras_log_probs, row_key
from rtserver.ipc.talker import SampleQuantum, StopQuantum, Tokens
from tests.rtserver.engine.talker.talker_client import TalkerClient

pytestmark = pytest.mark.engine

CONFIG = ModelConfig.load(NANO)
LIMITS = LengthLimits(0.5, 6, 500)
TEXTS = [[(17 * row + 5 * i) % 200 + 20 for i in range(18 + 3 * row)] for row in range(8)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def talker(cache: Path) -> Iterator[TalkerClient]:
    client = TalkerClient(NANO, cache)
    yield client
    assert client.close() == 0


def prompt() -> TalkerPrompt:
    entry = torch.load(NANO / "spk2info.pt", weights_only=True)["英文女"]
    ids = entry["prompt_text"][0].tolist()
    return TalkerPrompt(tuple(ids[:1]), tuple(ids[1:]), tuple(entry["llm_prompt_speech_token"][0].tolist()))


def sequence(text: list[int], bistream: bool = False) -> TalkerSequence:
    made = TalkerSequence(CONFIG.talker, prompt(), LIMITS, bistream)
    made.feed(text)
    made.end()
    return made


@pytest.fixture(scope="module")
def alone(talker: TalkerClient) -> list[list[int]]:
    """Each text's speech tokens, spoken alone and uncut."""
    return [talker.run([sequence(text)], [i], 1000)[0] for i, text in enumerate(TEXTS)]


def test_tokens_are_those_of_a_plain_forward_pass(alone: list[list[int]]) -> None:
    """vLLM's tokens and the stop after them are the maxima of log-probability plus keyed noise."""
    _, state = load_talker_state(CONFIG)
    table = torch.cat([state["speech_embedding.weight"], state["llm.model.model.embed_tokens.weight"]])
    for row, text in enumerate(TEXTS):
        first = sequence(text).next_quantum(1000)
        assert first is not None
        tokens = alone[row]
        ids = first.ids + tokens
        hidden = qwen2_hidden(table[torch.tensor(ids)], state, CONFIG.talker)
        logits = F.linear(hidden[len(first.ids) - 1 :], state["llm_decoder.weight"])
        stop_id = CONFIG.talker.eos
        stops = logits[first.min_tokens :, stop_id].clone()
        logits[:, CONFIG.talker.speech_tokens :] = float("-inf")
        logits[first.min_tokens :, stop_id] = stops  # what may stop takes part in the nucleus
        history = torch.tensor(padded_history([tokens[:i] for i in range(len(tokens) + 1)], 10))
        keys = torch.tensor([row_key(row, len(first.ids) + i) for i in range(len(tokens) + 1)])
        scores = ras_log_probs(logits, history, CONFIG.sampling) + keyed_gumbel(keys, torch.arange(logits.shape[-1]))
        assert scores.argmax(-1).tolist() == [*tokens, stop_id]


def test_tokens_do_not_depend_on_the_batch(talker: TalkerClient, alone: list[list[int]]) -> None:
    """Eight sequences together speak what each speaks alone."""
    assert talker.run([sequence(t) for t in TEXTS], range(8), 1000) == alone


@pytest.mark.parametrize("quantum_tokens", [5, 15, 50])
def test_tokens_do_not_depend_on_quanta(talker: TalkerClient, alone: list[list[int]], quantum_tokens: int) -> None:
    """Any cut into quanta gives the same tokens, in a batch."""
    assert talker.run([sequence(t) for t in TEXTS], range(8), quantum_tokens) == alone


def test_bistream_ends_and_does_not_depend_on_quanta(talker: TalkerClient) -> None:
    """The layout with text in blocks runs to eos, with the same tokens in any cut."""
    whole = [sequence(t, bistream=True) for t in TEXTS]
    cut = [sequence(t, bistream=True) for t in TEXTS]
    assert talker.run(whole, range(8), 1000) == talker.run(cut, range(8), 4)
    assert all(s.finish is Finish.EOS for s in whole)


def test_another_seed_is_another_take(talker: TalkerClient, alone: list[list[int]]) -> None:
    """The seed matters."""
    assert talker.run([sequence(TEXTS[0])], [1234], 1000)[0] != alone[0]


def test_bad_quanta_are_refused_and_harm_nobody(talker: TalkerClient, alone: list[list[int]]) -> None:
    """What would stop vLLM for everyone is refused by name, and the talker goes on."""
    good = SampleQuantum("x", 1, [1, 2, 3], 5, 0, "final", [], 0)
    assert "exceeds" in talker.refused(replace(good, ids=[1] * 2048))
    assert "outside" in talker.refused(replace(good, ids=[1, CONFIG.talker.head_rows + CONFIG.talker.text_rows]))
    assert "outside" in talker.refused(replace(good, ids=[-1]))
    assert "outside" in talker.refused(replace(good, ids=[]))
    assert "quantum of 0" in talker.refused(replace(good, max_tokens=0))
    assert "'later'" in talker.refused(replace(good, stage="later"))
    assert talker.run([sequence(TEXTS[0])], [0], 1000)[0] == alone[0]


def test_a_stopped_quantum_is_silent(talker: TalkerClient) -> None:
    """No tokens come for a quantum after its stop, and its name is free again."""
    sample = SampleQuantum("stopped", 1, [1, 2, 3], 400, 400, "final", [], 0)
    talker.port.send(sample)
    talker.port.send(StopQuantum("stopped", 1))
    talker.port.send(StopQuantum("never started", 1))
    talker.port.send(replace(sample, max_tokens=3, min_tokens=3))
    message = talker.receive()
    assert isinstance(message, Tokens) and len(message.ids) == 3


def test_a_new_process_speaks_the_same_and_ends_with_its_peer(cache: Path, alone: list[list[int]]) -> None:
    """The same seeds give the same tokens in another process, which exits when its peer goes."""
    client = TalkerClient(NANO, cache)
    assert client.run([sequence(t) for t in TEXTS[:4]], range(4), 25) == alone[:4]
    client.port.close()
    assert client.process.wait(timeout=60) == 0
