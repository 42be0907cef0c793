"""The stage `export`: a model directory of what has been trained, in half precision, with a note of how."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from cosyvoice.checkpoint import ALIGNER_FILE, FLOW_FILES, TALKER_FILES, VOCODER_FILES, content_hash, load_talker_state
from cosyvoice.config import ModelConfig
from cosyvoice.nano.corpus.manner import MANNERS
from cosyvoice.nano.data.codes import TOKENIZER_FILE, CodeStore
from cosyvoice.nano.data.store import FeatureStore
from cosyvoice.nano.prompts import named_voices
from cosyvoice.nano.silence import silent_codes
from cosyvoice.nano.speaker.training import SPEAKER_FILE
from cosyvoice.nano.training.loop import averaged
from cosyvoice.serving_config import SERVING_FILE
from cosyvoice.voice.onnx_network import OnnxNetwork
from cosyvoice.voice.spk2info import VOICES_FILE

NOTE = "training.json"
CLONING_MODES = ("zero_shot", "cross_lingual")  # what a model can do with a speaker encoder
# Training -> its module and the file it becomes.
_PARTS = {
    "talker": ("talker", TALKER_FILES[0]),
    "flow": ("flow", FLOW_FILES[0]),
    "vocoder": ("vocoder", VOCODER_FILES[0]),
    "aligner": ("aligner", ALIGNER_FILE),
}
_STYLES = Path(__file__).parent / "styles.json"
# Of silence where speech ends: .12 s.
_CLOSING_CODES = 3
_LARGEST = float(torch.finfo(torch.float16).max)


def run(work: Path, model: Path, out: Path, kept_talker: float = 0.0) -> None:
    """Writes the directory `out`: `model` with the parts that have been trained in place of its own.

    kept_talker: the part of the talker's weights that stays `model`'s own, where training began with them. Between
    the two lies a talker that has learnt the new and forgotten less of the old (Wortsman et al. 2022,
    arXiv 2109.01903).
    """
    unfinished = out.with_name(out.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(model, unfinished)
    earlier = unfinished / NOTE
    note: dict[str, Any] = json.loads(earlier.read_text(encoding="utf-8")) if earlier.exists() else {}
    note["hours"] = _hours(work)
    if (work / "tokenizer" / TOKENIZER_FILE).exists():
        shutil.copy(work / "tokenizer" / TOKENIZER_FILE, unfinished)
        note["tokenizer training"] = json.loads((work / "tokenizer" / "note.json").read_text(encoding="utf-8"))
    note["tokenizer"] = content_hash(unfinished / TOKENIZER_FILE)
    if content_hash(model / TOKENIZER_FILE) != note["tokenizer"]:  # what the model knew of codes means nothing now
        features = FeatureStore(work)
        codes = CodeStore(features, OnnxNetwork(unfinished / TOKENIZER_FILE))
        codes.complete()
        silent = silent_codes(features, codes)
        _serve(unfinished, silent_ids=silent, closing_ids=silent[:1] * _CLOSING_CODES)
        torch.save(named_voices(work, unfinished), unfinished / VOICES_FILE)
    for name, (module, file) in _PARTS.items():
        checkpoint = work / name / f"{name}.pt"
        if checkpoint.exists():
            weights = averaged(checkpoint, module)
            note[name] = json.loads((work / name / "note.json").read_text(encoding="utf-8"))
            if name == "talker" and kept_talker:
                weights = between(weights, load_talker_state(ModelConfig.load(model))[1], kept_talker)
                note[name]["kept"] = kept_talker
            save_file(halved(weights), unfinished / file)
    if note.get("flow", {}).get("guidance"):
        _serve(unfinished, cfg_rate=0, euler_steps=note["flow"]["euler_steps"])  # its velocity is guided already
    if (work / "talker" / "talker.pt").exists() and note["hours"].keys() & MANNERS.keys():
        offer_styles(unfinished)
    encoder = work / "speaker" / SPEAKER_FILE
    if encoder.exists():
        shutil.copy(encoder, unfinished)
        _allow(unfinished, *CLONING_MODES)
        note["speaker"] = json.loads((work / "speaker" / "note.json").read_text(encoding="utf-8"))
    earlier.write_text(json.dumps(note, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    unfinished.rename(out)


def between(weights: dict[str, Tensor], others: dict[str, Tensor], part: float) -> dict[str, Tensor]:
    """Each weight, `part` of the way to the other of its name."""
    return {name: torch.lerp(weight, others[name].to(weight.dtype), part) for name, weight in weights.items()}


def halved(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in half precision. Raises ValueError for one that is not finite in it."""
    for name, weight in weights.items():
        if weight.is_floating_point() and not weight.abs().max() <= _LARGEST:
            raise ValueError(f"{name}: expected finite numbers in half precision, found {weight.abs().max()}")
    return {k: (w.half() if w.is_floating_point() else w).contiguous() for k, w in weights.items()}


def offer_styles(model: Path) -> None:
    """Puts the phrases of all styles, and the mode that takes them, into a model directory's serving.json."""
    _serve(model, styles=json.loads(_STYLES.read_text(encoding="utf-8")))
    _allow(model, "instruct")


def _allow(model: Path, *modes: str) -> None:
    """Adds modes to those that serving.json lists."""
    before = json.loads((model / SERVING_FILE).read_text(encoding="utf-8"))["modes"]
    _serve(model, modes=list(dict.fromkeys([*before, *modes])))


def _serve(model: Path, **changes: Any) -> None:
    """Sets keys of serving.json. Lists of numbers or words stand on one line, as a person would write them."""
    path = model / SERVING_FILE
    serving = json.loads(path.read_text(encoding="utf-8")) | changes
    text = json.dumps(serving, ensure_ascii=False, indent=2)
    flat = re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s*\n\s*", " ", found[0]), text)
    path.write_text(flat.replace("[ ", "[").replace(" ]", "]") + "\n", encoding="utf-8")


def _hours(work: Path) -> dict[str, float]:
    """Hours of features by voice, all brief voices together; speech in a style by the style."""
    seconds: dict[str, float] = {}
    for entry in FeatureStore(work).entries:
        voice = entry.utterance.style or entry.utterance.group
        seconds[voice] = seconds.get(voice, 0.0) + entry.utterance.seconds
    return {voice: round(s / 3600, 3) for voice, s in sorted(seconds.items())}
