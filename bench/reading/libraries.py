"""Compares ways to read written text: right answers of the test cases, milliseconds a clause, megabytes, load time.

    python -m bench.model.reading own wetext num2words cn2an

Libraries that are no dependency (num2words, nemo_text_processing) must be importable, e.g. by PYTHONPATH.
Each way reads each case as one text. "own" is this project's normaliser, after the same cleaning.
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosyvoice.frontend.characters import clean
from cosyvoice.frontend.normalize import Normalizer
from cosyvoice.frontend.plain import plain

CASES = Path("tests/cosyvoice/frontend/cases")
Read = Callable[[str, str], str]


def own() -> Read:
    normalizer = Normalizer()
    return lambda text, language: normalizer.normalize(text, "zh" if language == "zh" else "en")


def wetext() -> Read:
    library: Any = importlib.import_module("wetext")
    of = {language: library.Normalizer(lang=language, operator="tn") for language in ("en", "zh")}
    return lambda text, language: str(of[language].normalize(text))


def nemo() -> Read:
    library: Any = importlib.import_module("nemo_text_processing.text_normalization.normalize")
    of = {language: library.Normalizer(input_case="cased", lang=language) for language in ("en", "zh")}
    return lambda text, language: str(of[language].normalize(text))


def num2words() -> Read:
    library: Any = importlib.import_module("num2words")

    def read(text: str, language: str) -> str:
        if language == "zh":  # it has no Mandarin
            return text
        return re.sub(
            r"\d+(?:\.\d+)?", lambda m: str(library.num2words(float(m[0]) if "." in m[0] else int(m[0]))), text
        )

    return read


def cn2an() -> Read:
    library: Any = importlib.import_module("cn2an")
    return lambda text, language: str(library.transform(text, "an2cn")) if language == "zh" else text


def memory_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str) -> None:
    cases = [
        json.loads(line) for table in sorted(CASES.glob("*.jsonl")) for line in table.read_text("utf-8").splitlines()
    ]
    texts = [(clean(plain(case["text"].replace("\n", ", "))), case) for case in cases]
    before_mb, start = memory_mb(), time.perf_counter()
    read = {"own": own, "wetext": wetext, "nemo": nemo, "num2words": num2words, "cn2an": cn2an}[name]()
    for language in ("en", "zh"):
        read("5", language)
    load_s, times, right = time.perf_counter() - start, [], 0
    for text, case in texts:
        began = time.thread_time()
        try:
            heard = read(text, case["language"]).lower()
        except Exception:  # a library may fail on any text; then the case is wrong
            heard = ""
        times.append((time.thread_time() - began) * 1000)
        wrong = [p for p in case["must"] if not re.search(p, heard)] + [p for p in case["never"] if re.search(p, heard)]
        right += not wrong
    times.sort()
    median, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    print(
        f"{name}: right {right} of {len(cases)}, median {median:.2f} ms, p99 {p99:.2f} ms, "
        f"{memory_mb() - before_mb:.0f} MB, load {load_s:.2f} s"
    )


if __name__ == "__main__":
    for way in sys.argv[1:]:
        measure(way)
