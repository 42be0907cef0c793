"""Libraries that turn written text into spoken words: right answers, milliseconds a clause, megabytes, seconds to load.

    python -m bench.reading.libraries --venvs /tmp/venvs --json libraries.json
    python -m bench.reading.libraries --venvs /tmp/venvs --only num2words cn2an

Each library is installed with pip in a virtual environment of its own below --venvs, and measured in a process of it.
It gets each case of the tests (tests/cosyvoice/frontend/cases) as one text without markup, as our own rules do. The
cases were written while our rules were, so they flatter these. A library without Mandarin, or without English, leaves
such a text as it is.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import resource
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cosyvoice" / "frontend" / "cases"
_INSTALL_S, _MEASURE_S = 900, 900
_OWN_NEEDS = ("num2words",)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")

Read = Callable[[str, str], str]


@dataclass(frozen=True)
class Library:
    """What pip installs (the first is the library itself), and how it is made to read. A reader gets a text and its
    language."""

    requirements: tuple[str, ...]
    make: Callable[[], Read]


def _imported(name: str) -> Any:
    return importlib.import_module(name)


def _own() -> Read:
    normalizer = _imported("cosyvoice.frontend.normalize").Normalizer()
    return lambda text, language: str(normalizer.normalize(text, "zh" if language == "zh" else "en"))


def _normalizers(make: Callable[[str], Any]) -> Read:
    """For a library with an object for each language."""
    made = {language: make(language) for language in ("en", "zh")}
    return lambda text, language: str(made[language].normalize(text))


def _wetext() -> Read:
    library = _imported("wetext")
    return _normalizers(lambda language: library.Normalizer(lang=language, operator="tn"))


def _wetextprocessing() -> Read:
    names = {"en": "tn.english.normalizer", "zh": "tn.chinese.normalizer"}
    return _normalizers(lambda language: _imported(names[language]).Normalizer())


def _nemo() -> Read:
    library = _imported("nemo_text_processing.text_normalization.normalize")
    return _normalizers(lambda language: library.Normalizer(input_case="cased", lang=language))


def _numbers(words: Callable[[str], str]) -> Read:
    """For a library that knows numbers only, and English."""
    return lambda text, language: text if language == "zh" else _NUMBER.sub(lambda number: words(number[0]), text)


def _num2words() -> Read:
    library = _imported("num2words")
    return _numbers(lambda digits: str(library.num2words(float(digits) if "." in digits else int(digits))))


def _inflect() -> Read:
    engine = _imported("inflect").engine()
    return _numbers(lambda digits: str(engine.number_to_words(digits)))


def _cn2an() -> Read:
    library = _imported("cn2an")
    return lambda text, language: str(library.transform(text, "an2cn")) if language == "zh" else text


def _zh_normalization() -> Read:
    normalizer = _imported("zh_normalization").TextNormalizer()
    return lambda text, language: "".join(normalizer.normalize(text)) if language == "zh" else text


def _kitten() -> Read:
    library = _imported("kitten_text_processing")
    made = {one: library.Normalizer(input_case="cased", lang=one) for one in ("en", "zh")}
    return lambda text, language: str(made[language].normalize(text, punct_post_process=True))


def _voxnorm() -> Read:
    library = _imported("voxnorm")
    return lambda text, language: str(library.normalize(text, "zh-CN" if language == "zh" else "en"))


def _spokenform() -> Read:
    library = _imported("spokenform")
    return lambda text, language: str(library.prepare(text, language=language, use_spacy=False).spoken_text)


LIBRARIES: Mapping[str, Library] = {
    "own rules": Library(_OWN_NEEDS, _own),
    "wetext": Library(("wetext",), _wetext),
    "WeTextProcessing": Library(("WeTextProcessing",), _wetextprocessing),
    "nemo_text_processing": Library(("nemo_text_processing",), _nemo),
    "num2words": Library(("num2words",), _num2words),
    "inflect": Library(("inflect",), _inflect),
    "cn2an": Library(("cn2an",), _cn2an),
    "kitten-text-processing": Library(("kitten-text-processing",), _kitten),
    "voxnorm": Library(("voxnorm",), _voxnorm),
    "spokenform": Library(("spokenform",), _spokenform),
    "zh-normalization": Library(("zh-normalization",), _zh_normalization),
}


def measure(name: str) -> dict[str, object]:
    """In an environment with the library."""
    clean, plain = _imported("cosyvoice.frontend.characters").clean, _imported("cosyvoice.frontend.plain").plain
    every = [json.loads(line) for table in sorted(CASES.glob("*.jsonl")) for line in table.open(encoding="utf-8")]
    cases = [case for case in every if case["language"] in ("en", "zh")]
    texts = [clean(plain(case["text"].replace("\n", ", "))) for case in cases]
    before_mb, start_s = _memory_mb(), time.perf_counter()
    read = LIBRARIES[name].make()
    for language in ("en", "zh"):
        read("5", language)
    load_s = time.perf_counter() - start_s
    right: dict[str, list[bool]] = {"en": [], "zh": []}
    ms, failures = [], 0
    for text, case in zip(texts, cases, strict=True):
        begun_s = time.thread_time()
        try:
            heard = read(text, case["language"]).lower()
        except Exception:  # a library may fail on any text; then the case is wrong
            heard, failures = "", failures + 1
        ms.append((time.thread_time() - begun_s) * 1000)
        faults = [p for p in case["must"] if not re.search(p, heard)] + [
            p for p in case["never"] if re.search(p, heard)
        ]
        right[case["language"]].append(not faults)
    ms.sort()
    return {
        "right": {language: [sum(some), len(some)] for language, some in right.items()},
        "failures": failures,
        "median_ms": round(ms[len(ms) // 2], 3),
        "p99_ms": round(ms[int(len(ms) * 0.99)], 3),
        "load_s": round(load_s, 2),
        "memory_mb": round(_memory_mb() - before_mb),
    }


def _memory_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_environment(name: str, venvs: Path) -> dict[str, object]:
    """Installs the library, if that is not done, and measures it. An answer with `error` tells why that cannot be."""
    library = LIBRARIES[name]
    folder = venvs / re.sub(r"\W", "_", name)
    python = str(folder / "bin" / "python")
    bare = folder / "bare_mb"
    if not bare.exists():
        venv.create(folder, clear=True)
        bare_mb = _size_mb(folder)
        pip = [sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check"]
        command = [*pip, "install", *library.requirements]
        installed = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S)
        if installed.returncode:
            return {"error": installed.stderr.strip().splitlines()[-1][:300]}
        bare.write_text(str(bare_mb))
    asked = [python, "-m", "bench.reading.libraries", "--measure", name]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(asked, capture_output=True, text=True, timeout=_MEASURE_S, env=environment, cwd=ROOT)
    if ran.returncode:
        return {"error": ran.stderr.strip().splitlines()[-1][:300]}
    version = (
        "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
        if name != "own rules"
        else "print('this checkout')"
    )
    told = subprocess.run([python, "-c", version, library.requirements[0]], capture_output=True, text=True)
    installed_mb = round(_size_mb(folder) - float(bare.read_text()), 1)
    found: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    return {"version": told.stdout.strip(), "installed_mb": installed_mb} | found


def _size_mb(folder: Path) -> float:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files if "__pycache__" not in path.parts) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venvs", type=Path, help="folder of the virtual environments")
    parser.add_argument("--only", nargs="+", choices=list(LIBRARIES), metavar="NAME", help="only these libraries")
    parser.add_argument("--measure", choices=list(LIBRARIES), metavar="NAME", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure)))
        return
    if args.venvs is None:
        parser.error("--venvs: expected a folder, found none")
    results = {}
    for name in args.only or LIBRARIES:
        results[name] = in_own_environment(name, args.venvs)
        print(name, json.dumps(results[name]), flush=True)
    if args.json:
        from bench.machine import describe_machine

        args.json.write_text(json.dumps({"machine": describe_machine(), "libraries": results}, indent=1))


if __name__ == "__main__":
    main()
