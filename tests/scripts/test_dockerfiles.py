"""The Dockerfiles cannot be built by the tests. What they copy is there, and what they start takes their arguments."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cosyvoice.flow.export_estimator import options as export_options
from rtserver.commands.cli import build_parser

_ROOT = Path(__file__).parents[2]
FILES = sorted((_ROOT / "docker").glob("*.Dockerfile"))


def instructions(file: Path, name: str) -> list[str]:
    """The arguments of all instructions of that name."""
    return re.findall(rf"^{name} (.+)$", file.read_text(), re.MULTILINE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_copied_is_there(file: Path) -> None:
    """And .dockerignore lets it in."""
    lets_in = [line[1:] for line in (_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [source for line in instructions(file, "COPY") for source in line.split()[:-1]]
    assert copied
    for source in copied:
        assert (_ROOT / source).exists() and source.split("/")[0] in lets_in


def test_the_server_takes_its_arguments() -> None:
    """Its port is the one that is exposed and asked for its health."""
    file = _ROOT / "docker" / "nvidia.Dockerfile"
    program, *arguments = json.loads(instructions(file, "ENTRYPOINT")[0])
    args = build_parser().parse_args(arguments)
    assert (program, args.model, args.host, str(args.port)) == ("rtserver", "/model", "0.0.0.0", "8790")
    assert instructions(file, "EXPOSE") == ["8790"] and ":8790/v1/health" in file.read_text()


def test_the_export_takes_its_arguments() -> None:
    """TensorRT first."""
    file = _ROOT / "docker" / "tensorrt.Dockerfile"
    start, rest = (json.loads(instructions(file, name)[0]) for name in ("ENTRYPOINT", "CMD"))
    assert start[:3] == ["python", "-m", "cosyvoice.flow.export_estimator"]
    args = export_options().parse_args([*start[3:], *rest])
    assert (args.model, args.providers) == ("/model", ["tensorrt", "cuda", "cpu"])
