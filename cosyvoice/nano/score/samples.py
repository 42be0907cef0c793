"""Ten short utterances of a model as small files, with a README that says what each is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import soundfile

from cosyvoice.nano.score.judging import Wave
from cosyvoice.nano.score.speaking import SAMPLE_RATE, Server, speak

_SEED = 7


@dataclass(frozen=True)
class Sample:
    """pieces: the text comes word by word, as an LLM writes it; else whole."""

    name: str
    voice: str
    text: str
    pieces: bool = True


SAMPLES = (
    Sample("greeting-en", "英文女", "Good evening! How can I help you today?"),
    Sample("story-en", "英文女", "The lamps along the quay are lit, and the day ends as quietly as it began."),
    Sample("whole-en", "英文男", "Nobody expected the small team to win the final game.", pieces=False),
    Sample("digits-en", "英文男", "Your table is booked for 7:30 pm on March 3, and the deposit is $12.50."),
    Sample("greeting-zh", "中文女", "您好，请问有什么可以帮您？"),
    Sample("whole-zh", "中文女", "超市门口新开了一家面包店，味道很不错。", pieces=False),
    Sample("story-zh", "中文男", "夜里起了风，河水轻轻地拍着石头，远处传来火车的声音。"),
    Sample("digits-zh", "中文男", "会议改到3月15日下午2点40分，地点是306房间。"),
    Sample("mixed-zh", "中文女", "请打开Wi-Fi，然后重启你的手机。"),
    Sample("mixed-en", "英文女", "The restaurant is called 小南国, and it is really good."),
)


def write(say: Callable[[Sample], Wave], folder: Path, model: str) -> None:
    """Writes NN-NAME.opus of each sample and README.md. model: its name, for the README."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"# What {model} sounds like",
        "",
        'The embedded voices. "Word by word" means that the text came in pieces while it was spoken; "whole" means in '
        "one message.",
        "",
        "| file | voice | text came | text |",
        "|---|---|---|---|",
    ]
    for number, sample in enumerate(SAMPLES, 1):
        name = f"{number:02d}-{sample.name}.opus"
        soundfile.write(folder / name, say(sample), SAMPLE_RATE, format="OGG", subtype="OPUS")
        came = "word by word" if sample.pieces else "whole"
        lines.append(f"| [{name}]({name}) | {sample.voice} | {came} | {sample.text} |")
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(server: Server, folder: Path) -> None:
    """The same, spoken by a server."""
    write(
        lambda sample: speak(server, sample.text, sample.voice, _SEED, pieces=sample.pieces),
        folder,
        server.model,
    )
