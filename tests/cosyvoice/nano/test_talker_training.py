"""Training of the talker: the layouts are those that serve, the network is the one vLLM runs, steps lower the loss."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from cosyvoice.checkpoint import load_talker_state
from cosyvoice.config import ModelConfig, TalkerConfig
from cosyvoice.models import NANO
from cosyvoice.nano.aligner.alignment import Alignments
from cosyvoice.nano.data import codes, features
from cosyvoice.nano.data.corpus_codes import SpokenCorpus
from cosyvoice.nano.talker.guiding import AttentionGuide
from cosyvoice.nano.talker.network import TalkerNetwork
from cosyvoice.nano.talker.sequences import NO_TARGET, Learnt, TalkerExample, example
from cosyvoice.nano.talker.training import TalkerSettings, TalkerTraining
from cosyvoice.nano.training.loop import Schedule, train
from cosyvoice.talker.layout import LayoutStage, LengthLimits, TalkerPrompt, TalkerSequence
from tests.cosyvoice.nano.corpora import speak

pytestmark = pytest.mark.model

CONFIG = TalkerConfig(
    hidden=32, layers=2, heads=4, kv_heads=2, ffn=48, text_rows=20, speech_tokens=50, head_rows=60, mix_ratio=(3, 5)
)
HEAD = (2,)


def learnt(text: int, speech: int, seed: int = 0) -> Learnt:
    """So many text ids and codes, said evenly."""
    generator = random.Random(seed)
    return Learnt(
        [generator.randrange(3, 20) for _ in range(text)],
        [generator.randrange(50) for _ in range(speech)],
        [i * text // speech for i in range(speech)],
    )


def served(parts: list[Learnt], *, bistream: bool) -> list[int]:
    """The ids of the sequence that serves, when the talker samples exactly the codes of `parts`."""
    sequence = TalkerSequence(CONFIG, TalkerPrompt(HEAD), LengthLimits(0.0, 100.0, 10_000), bistream)
    sequence.feed([i for part in parts for i in part.text_ids])
    sequence.end()
    speech = [c for part in parts for c in part.codes]
    while (quantum := sequence.next_quantum(4)) is not None:
        taken = speech[: quantum.max_tokens]
        del speech[: quantum.max_tokens]
        if quantum.stage is LayoutStage.FINAL and not speech:
            sequence.accept([*taken, CONFIG.eos] if len(taken) < quantum.max_tokens else taken)
        else:
            sequence.accept(taken)
    return sequence.ids


@pytest.mark.parametrize("bistream", [False, True])
@pytest.mark.parametrize(("text", "speech"), [(7, 14), (12, 21), (2, 9), (9, 30), (6, 11)])
def test_a_training_sequence_is_the_one_that_serves(text: int, speech: int, bistream: bool) -> None:
    """Fed the same text and sampling the same codes, the serving state machine holds the same ids."""
    parts = [learnt(text, speech, 1), learnt(4, 9, 2)]
    made = example(CONFIG, HEAD, parts, bistream=bistream)
    assert made.ids.tolist() == served(parts, bistream=bistream)


def test_every_code_is_learnt_once_and_the_end_after_it() -> None:
    """Targets are the codes in order, fills at block ends, and one end of speech."""
    part = learnt(8, 17)
    made = example(CONFIG, HEAD, [part], bistream=True)
    targets = [t for t in made.targets.tolist() if t != NO_TARGET]
    assert [t for t in targets if t < CONFIG.speech_tokens] == part.codes
    assert [t for t in targets if t >= CONFIG.speech_tokens] == [CONFIG.fill, CONFIG.fill, CONFIG.eos]
    assert targets[5] == targets[11] == CONFIG.fill


def test_speech_faster_than_the_blocks_is_made_unistream() -> None:
    """Codes that would come before their text are never shown so."""
    fast = learnt(30, 20)
    assert (
        example(CONFIG, HEAD, [fast], bistream=True).ids.tolist()
        == example(CONFIG, HEAD, [fast], bistream=False).ids.tolist()
    )


def test_guides_point_at_the_text_being_said() -> None:
    """Each guided place is followed by a code, and points at the text id that the alignment says."""
    parts = [learnt(6, 12, 3), learnt(5, 11, 4)]
    made = example(CONFIG, HEAD, parts, bistream=False)
    text = [i for part in parts for i in part.text_ids]
    said = [*parts[0].spoken_by, *(6 + i for i in parts[1].spoken_by)]
    assert len(made.guides) == 23
    assert [int(made.ids[this]) - CONFIG.head_rows for _, this, _ in made.guides] == [text[i] for i in said]
    assert all(made.targets[at] < CONFIG.speech_tokens for at, _, _ in made.guides)


def test_the_network_is_qwen2() -> None:
    """Hidden states are those of transformers' Qwen2 with the embedded checkpoint's weights."""
    transformers = pytest.importorskip("transformers")
    config = ModelConfig.load(NANO).talker
    network = TalkerNetwork(config).eval()
    network.load_state_dict(load_talker_state(ModelConfig.load(NANO))[1])
    qwen = transformers.Qwen2Model(
        transformers.Qwen2Config(
            vocab_size=config.text_rows,
            hidden_size=config.hidden,
            intermediate_size=config.ffn,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            rms_norm_eps=config.rms_eps,
            rope_theta=config.rope_theta,
        )
    ).eval()
    prefix = "llm.model.model."
    qwen.load_state_dict({k.removeprefix(prefix): v for k, v in network.state_dict().items() if k.startswith(prefix)})
    ids = torch.cat([torch.randint(0, 2187, (2, 20)), config.head_rows + torch.randint(0, 200, (2, 20))], 1)
    text = ids >= config.head_rows
    embedded = torch.where(
        text[..., None],
        qwen.embed_tokens(torch.where(text, ids - config.head_rows, 0)),
        network.speech_embedding(torch.where(text, 0, ids)),
    )
    with torch.no_grad():
        assert torch.allclose(network(ids), qwen(inputs_embeds=embedded).last_hidden_state, atol=2e-4)


def test_guided_attention_can_be_learnt() -> None:
    """With its loss alone, the first head comes to look at the text being said."""
    torch.manual_seed(0)
    network = TalkerNetwork(CONFIG)
    batch = [example(CONFIG, HEAD, [learnt(8, 16, seed)], bistream=False) for seed in range(6)]
    ids = torch.stack([torch.from_numpy(one.ids) for one in batch])
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    hits = []
    for _ in range(120):
        guide = AttentionGuide(CONFIG, batch, ids)
        network(ids, (1, guide))
        optimiser.zero_grad()
        guide.loss().backward()
        optimiser.step()
        hits.append(guide.hits())
    assert hits[0] < 0.4
    assert hits[-1] > 0.9


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with a small corpus that has codes, and alignments that spread codes evenly over the text."""
    speak(tmp_path, {"hibari": 15, "am_michael": 15}, hold_out=True)
    features.run(tmp_path)
    codes.run(tmp_path, NANO)
    corpus = SpokenCorpus(tmp_path, NANO)
    even = [np.linspace(0, len(one.text_ids) - 1, len(one.codes)).astype(np.int16) for one in corpus.spoken]
    (tmp_path / "aligner").mkdir()
    np.concatenate(even).tofile(tmp_path / "aligner" / "text_of_codes.i16")
    return tmp_path


def training_of(work: Path) -> TalkerTraining:
    settings = TalkerSettings(ids_a_step=400, longest_codes=120, plentiful=0.8)
    return TalkerTraining(SpokenCorpus(work, NANO), Alignments(work), NANO, settings)


def test_an_epoch_has_long_sequences_and_nothing_held_out(work: Path) -> None:
    """Sequences of one, two and more utterances come, all of texts that may be learnt from, the same each time."""
    training = training_of(work)
    count = training.utterances()
    assert count == 32
    made = [one for batch in training.epoch(0, count) for one in batch]
    again = [one for batch in training_of(work).epoch(0, count) for one in batch]
    assert [one.ids.tolist() for one in made] == [one.ids.tolist() for one in again]
    assert made[0].ids.tolist() != training.epoch(1, count)[0][0].ids.tolist()
    lengths = [speech_of(one, training) for one in made]
    assert min(lengths) < 40 and max(lengths) > 90 and max(lengths) <= 120
    known = {tuple(one.codes.tolist()) for one in training.corpus.training(count)}
    singles = [codes_of(one, training) for one in made if speech_of(one, training) < 30]
    assert singles and all(tuple(single) in known for single in singles)


def codes_of(one: TalkerExample, training: TalkerTraining) -> list[int]:
    return [t for t in one.targets.tolist() if 0 <= t < training.network.config.speech_tokens]


def speech_of(one: TalkerExample, training: TalkerTraining) -> int:
    return len(codes_of(one, training))


def test_steps_lower_the_loss_from_the_checkpoint_on(work: Path) -> None:
    """A few steps on made-up speech lower what is held out, and the averaged weights are what is told of."""
    state = train(training_of(work), work / "talker", Schedule(6, warm_up=1), evaluate_every=3)
    held_out = [entry for entry in state.history if entry["kind"] == "held out"]
    assert [entry["step"] for entry in held_out] == [0, 3, 6]
    names = set(held_out[0]) - {"step", "kind"}
    assert names
    assert all(held_out[-1][name] < held_out[0][name] for name in names)
