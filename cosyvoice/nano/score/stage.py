"""The stage `score`: a model speaks through the real server and is judged, table by table, beside its teachers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosyvoice.config import ModelConfig
from cosyvoice.nano.corpus.voices import NAMED
from cosyvoice.nano.score import clones, conversion, hard, named, samples, size, styles
from cosyvoice.nano.score.speaking import serving
from cosyvoice.nano.score.table import Scoring, Table, TableRow
from cosyvoice.nano.score.teacher import TeacherSpeech
from cosyvoice.voice.prompt import PromptEncoder

# In the order in which they are made.
TABLES: dict[str, Table] = {
    "size": size.table,
    "voices": named.table,
    "hard": hard.table,
    "conversion": conversion.table,
    "clones": clones.table,
    "styles": styles.table,
}


def run(
    work: Path,
    model: Path,
    label: str,
    voices: Sequence[str],
    count: int,
    tables: Sequence[str] = tuple(TABLES),
    samples_dir: Path | None = None,
) -> dict[str, list[TableRow]]:
    """Makes tables of `model` under WORK/score/LABEL, prints them, and goes on from where it stopped.

    voices: names; count: of how many sentences a language; tables: names of TABLES. samples_dir: ten samples go there.
    """
    able = [table for table in TABLES if table in tables and can_be_made(table, model)]
    for table in sorted(set(tables) - set(able)):
        print(f"{table}: not made, {model} cannot do what it measures")
    made: dict[str, list[TableRow]] = {}
    with serving(model) as server:
        chosen = [voice for voice in NAMED if not voices or voice.name in voices]
        scoring = Scoring(work, model, label, server, chosen, count, TeacherSpeech(work))
        for table in able:
            made[table] = list(TABLES[table](scoring))
            write(work / "score" / f"{label}.json", label, table, made[table])
            print("\n".join((f"{table}:", *(row.line() for row in made[table]))), flush=True)
        if samples_dir is not None:
            samples.run(server, samples_dir)
    return made


def can_be_made(table: str, model: Path) -> bool:
    """Whether a model can do what a table measures."""
    modes = ModelConfig.load(model).serving.modes
    if table == "clones":
        return "zero_shot" in modes and PromptEncoder(model).can_clone
    needed = {"conversion": "vc", "styles": "instruct"}
    return table not in needed or needed[table] in modes


def write(path: Path, label: str, table: str, rows: Sequence[TableRow]) -> None:
    """Puts a table into the file of all, which keeps the others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tables: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    tables |= {"model": label, table: [asdict(row) for row in rows]}
    path.write_text(json.dumps(tables, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
