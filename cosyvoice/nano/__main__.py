"""Trains the embedded checkpoint, stage by stage, from nothing but packages.

    python -m cosyvoice.nano corpus   --dir WORK --voices zf_xiaoxiao zm_yunxi --hours 5
    python -m cosyvoice.nano styles   --dir WORK
    python -m cosyvoice.nano features --dir WORK
    python -m cosyvoice.nano codes    --dir WORK
    python -m cosyvoice.nano aligner  --dir WORK --steps 400
    python -m cosyvoice.nano talker   --dir WORK --steps 3000
    python -m cosyvoice.nano flow     --dir WORK --steps 3000
    python -m cosyvoice.nano vocoder  --dir WORK --steps 3000
    python -m cosyvoice.nano speaker  --dir WORK --steps 2000
    python -m cosyvoice.nano export   --dir WORK --out MODEL
    python -m cosyvoice.nano score    --dir WORK --model MODEL --label first

Stages read what the ones before have left in WORK. Every stage can be interrupted at any time: the same command goes
on where it stopped, and one that is complete has nothing to do. More corpus can come at any time; run `features`,
`codes` and `aligner` again, and the trainings take it up with their next epoch.

Trainings begin with the weights of a model directory (--model) and write NAME.pt, NAME.jsonl and NAME.png (losses) to
WORK/NAME. Its speech tokenizer is frozen: all that was learnt above it would be void with another one.

Python packages come with the extra `nano` of this project; `corpus` also wants the commands npm, apt-get and dpkg-deb,
which fetch three packages.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cosyvoice.models import NANO

if TYPE_CHECKING:
    import torch

TABLES = ("size", "voices", "hard", "conversion", "clones", "styles")  # of the stage score


def main() -> None:
    """Runs a stage."""
    arguments = _parser().parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    run: Callable[[argparse.Namespace], None] = arguments.run
    run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cosyvoice.nano", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    corpus = _stage(stages, "corpus", "texts, read aloud by synthetic voices", _corpus)
    corpus.add_argument("--voices", nargs="*", default=[], metavar="VOICE", help="of these only (mix: all brief ones)")
    corpus.add_argument("--hours", type=float, default=0.0, help="hours of each voice (default: the whole plan)")
    styles = _stage(stages, "styles", "some of the corpus once more: fast, slow, soft, loud, cheerful, calm", _styles)
    styles.add_argument("--rows", type=int, default=60, help="of each named voice and style (default: %(default)s)")
    _stage(stages, "features", "mel and Whisper log-mel of the corpus", _features)
    for name, help_text, run in (
        ("tokenizer", "a new speech tokenizer, for a checkpoint made anew (the shipped one is frozen)", _tokenizer),
        ("codes", "speech codes of the corpus, by the model's frozen tokenizer", _codes),
        ("aligner", "which phoneme a code says: trains the aligner, then aligns the corpus", _aligner),
        ("talker", "text ids to speech codes", _talker),
        ("flow", "speech codes to mel", _flow),
        ("vocoder", "mel to sound (also measures the corpus's pitch first)", _vocoder),
    ):
        stage = _stage(stages, name, help_text, run)
        stage.add_argument("--model", type=Path, default=NANO, help="model directory to begin with (default: nano)")
        if name != "codes":
            stage.add_argument(
                "--steps", type=int, required=True, help="of the whole training; the rate falls to its end"
            )
            stage.add_argument("--device", default="cpu", help="where to train, as cuda (default: %(default)s)")
        if name in ("tokenizer", "talker", "flow", "vocoder"):
            stage.add_argument(
                "--times",
                type=int,
                default=1,
                help="how many times as much in a step, for a GPU (default: %(default)s)",
            )
        if name in ("talker", "flow"):
            stage.add_argument(
                "--new-codes", action="store_true", help="the model's weights are of another tokenizer than its own"
            )
        if name in ("talker", "flow", "vocoder"):
            stage.add_argument("--rate", type=float, default=1e-3, help="learning rate (default: %(default)s)")
    speaker = _stage(stages, "speaker", "any voice to its speaker vector (campplus.onnx)", _speaker)
    speaker.add_argument("--steps", type=int, required=True, help="of the whole training")
    export = _stage(stages, "export", "a model directory of what has been trained", _export)
    export.add_argument("--model", type=Path, default=NANO, help="what is not trained comes from it (default: nano)")
    export.add_argument(
        "--kept-talker",
        type=float,
        default=0.0,
        metavar="PART",
        help="part of the talker's weights that stays as before the training: it forgets less (default: 0)",
    )
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="the directory to write")
    score = _stage(stages, "score", "kept sentences through the real server, beside the teachers", _score)
    score.add_argument("--model", type=Path, default=NANO, help="model directory (default: nano)")
    score.add_argument("--label", required=True, help="name of this score: results go to WORK/score/LABEL")
    score.add_argument("--voices", nargs="*", default=[], metavar="NAME", help="as 中文女 (default: all four)")
    score.add_argument("--sentences", type=int, default=50, help="a language (default: %(default)s)")
    score.add_argument("--tables", nargs="*", choices=TABLES, default=TABLES, help="to make (default: all)")
    score.add_argument("--samples", type=Path, metavar="DIR", help="put ten short utterances there, with a README")
    return parser


def _stage(
    stages: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    help_text: str,
    run: Callable[[argparse.Namespace], None],
) -> argparse.ArgumentParser:
    parser = stages.add_parser(name, help=help_text, description=help_text)
    parser.add_argument("--dir", type=Path, required=True, metavar="WORK", help="folder of everything that is made")
    parser.set_defaults(run=run)
    return parser


def _device(arguments: argparse.Namespace) -> torch.device:
    import torch

    device = torch.device(arguments.device)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32
    return device


# Each stage imports what it needs: the packages of one need not be there for another.


def _corpus(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.corpus import stage

    stage.run(arguments.dir, arguments.voices, arguments.hours)


def _styles(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.corpus import styles

    styles.run(arguments.dir, arguments.rows)


def _features(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.data import features

    features.run(arguments.dir)


def _tokenizer(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.tokenizer import training

    settings = training.TokenizerSettings(frames_a_step=training.TokenizerSettings.frames_a_step * arguments.times)
    training.run(arguments.dir, arguments.model, arguments.steps, settings, _device(arguments))


def _codes(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.data import codes

    codes.run(arguments.dir, arguments.model)


def _aligner(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.aligner import alignment, training

    training.run(arguments.dir, arguments.model, arguments.steps, _device(arguments))
    alignment.run(arguments.dir, arguments.model)


def _talker(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.talker import training

    a = arguments
    settings = training.TalkerSettings(rate=a.rate, ids_a_step=training.TalkerSettings.ids_a_step * a.times)
    training.run(a.dir, a.model, a.steps, settings, _device(a), new_codes=a.new_codes)


def _flow(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.flow import training

    a = arguments
    settings = training.FlowSettings(rate=a.rate, frames_a_step=training.FlowSettings.frames_a_step * a.times)
    training.run(a.dir, a.model, a.steps, settings, _device(a), new_codes=a.new_codes)


def _vocoder(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.data import pitch
    from cosyvoice.nano.vocoder import training

    pitch.run(arguments.dir)
    a = arguments
    settings = training.VocoderSettings(rate=a.rate, batch=training.VocoderSettings.batch * a.times)
    training.run(a.dir, a.model, a.steps, settings, _device(a))


def _speaker(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.speaker import training

    training.run(arguments.dir, arguments.steps, training.SpeakerSettings())


def _export(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano import export

    export.run(arguments.dir, arguments.model, arguments.out, arguments.kept_talker)


def _score(arguments: argparse.Namespace) -> None:
    from cosyvoice.nano.score import stage

    a = arguments
    stage.run(a.dir, a.model, a.label, a.voices, a.sentences, a.tables, a.samples)


if __name__ == "__main__":
    main()
