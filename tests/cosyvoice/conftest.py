"""Model directories for the tests, and the processor in the report of a failure."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from bench.model.random_checkpoint import speaker_network
from cosyvoice.models import NANO
from cosyvoice.parity.processor import describe_processor


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Names the processor where a test failed: numbers may differ from one to the next."""
    report = yield
    if report.failed:
        report.sections.append(("processor", describe_processor()))
    return report


@pytest.fixture(scope="session")
def clonable_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory like a released checkpoint's: no serving.json, no spk2info.pt, both ONNX files.

    The speech tokenizer is the embedded checkpoint's; the speaker network maps the loudest of each band to 192 numbers.
    """
    directory = tmp_path_factory.mktemp("clonable")
    shutil.copy(NANO / "cosyvoice3.yaml", directory)
    shutil.copytree(NANO / "CosyVoice-BlankEN", directory / "CosyVoice-BlankEN")
    (directory / "speech_tokenizer_v3.onnx").symlink_to(NANO / "speech_tokenizer_v3.onnx")
    (directory / "campplus.onnx").write_bytes(speaker_network(outputs=192))
    return directory


@pytest.fixture(scope="session")
def narrow_speaker_network() -> bytes:
    """A speaker network with one output too few."""
    return speaker_network(outputs=191)
