"""The voices that a model directory has by name: a prompt of the corpus for each, as `spk2info.pt` keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.nano.aligner.training import AlignerTraining, trained
from cosyvoice.nano.corpus.voices import NAMED
from cosyvoice.nano.data.corpus_codes import Spoken, SpokenCorpus
from cosyvoice.nano.data.speakers import speaker_vector
from cosyvoice.nano.data.store import FeatureStore

_CODES = (70, 85)  # about three seconds
_CANDIDATES = 60


def named_voices(work: Path, model: Path) -> dict[str, dict[str, Tensor]]:
    """Name -> what `spk2info.pt` has of a voice. Its prompt is that utterance, of the first of about three seconds,
    whose phonemes the aligner reads best; without a trained aligner, the first."""
    corpus, features = SpokenCorpus(work, model), FeatureStore(work)
    aligner = trained(corpus, work, model) if (work / "aligner" / "aligner.pt").exists() else None
    end_of_prompt = Tokenizer.load(ModelConfig.load(model)).end_of_prompt_id
    found = {}
    for voice in NAMED:
        fitting = [one for one in corpus.training(len(corpus.spoken)) if one.voice == voice.teacher and _fits(one)]
        if fitting:
            prompt = fitting[0] if aligner is None else _best_read(fitting[:_CANDIDATES], aligner)
            mel = features.mel(prompt.entry).astype(np.float32)
            found[voice.name] = voice_record(prompt, [end_of_prompt, *prompt.text_ids], torch.from_numpy(mel))
    return found


def voice_record(prompt: Spoken, text_ids: list[int], mel: Tensor) -> dict[str, Tensor]:
    """A voice by its prompt's text ids, codes and mel [frames, bins], in the released layout: a row each."""
    codes = torch.from_numpy(prompt.codes.astype(np.int32))
    rows = {
        "prompt_text": torch.tensor(text_ids, dtype=torch.int32),
        "llm_prompt_speech_token": codes,
        "flow_prompt_speech_token": codes,
        "prompt_speech_feat": mel,
    }
    record = {name: row[None] for name, row in rows.items()}
    record |= {f"{name}_len": torch.tensor([len(row)], dtype=torch.int32) for name, row in rows.items()}
    speaker = speaker_vector(prompt.voice)[None]
    return record | {"llm_embedding": speaker, "flow_embedding": speaker}


@torch.no_grad()
def _best_read(candidates: Sequence[Spoken], aligner: AlignerTraining) -> Spoken:
    return min(candidates, key=lambda one: float(aligner.loss([one])))


def _fits(one: Spoken) -> bool:
    low, high = _CODES
    return not one.style and low <= len(one.codes) <= high
