"""The wheels of every distribution: built, installed in a clean environment, and speaking."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients_real.environment import environment
from tests.clients_real.finished import Finished, run_to_its_end
from tests.rtserver.embedded import embedded_server
from tests.wheels import (
    ROOT,
    clean_environ,
    distributions,
    installed,
    package_folders,
    project_dependencies,
    site_packages,
    wheel_of,
)

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

_PROGRAMS = Path(__file__).parent / "programs"
# "one two three four" lasts about two seconds.
LEAST_BYTES, MOST_BYTES = 48000, 48000 * 5
# Our plugins of agent frameworks: the environment that has the framework, and a program that speaks.
PLUGINS = {
    "clients/pipecat-rtserver": ("pipecat", "wheel_pipecat.py"),
    "clients/livekit-plugins-rtserver": ("livekit", "wheel_livekit.py"),
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each distribution, by the distribution's folder in the checkout."""
    folder = tmp_path_factory.mktemp("wheels")
    return {str(source.relative_to(ROOT)): wheel_of(source, folder) for source in distributions()}


@pytest.fixture(scope="module")
def server(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with the embedded voice, from its wheel, in a folder outside of the checkout."""
    folder = tmp_path_factory.mktemp("server")
    python = installed(folder / "environment", [wheels["."], wheels["clients"]], project_dependencies())
    rtserver = [python.with_name("rtserver")]
    with embedded_server(folder / "cache", rtserver, cwd=folder, env=clean_environ()) as url:
        yield url


def program(python: Path, name: str, *arguments: str) -> Finished:
    return asyncio.run(run_to_its_end(python, _PROGRAMS / name, *arguments, environ=clean_environ(), timeout_s=120))


@pytest.mark.parametrize("source", distributions(), ids=lambda source: str(source.relative_to(ROOT)))
def test_a_wheel_has_all_files_of_its_packages(source: Path, wheels: dict[str, Path]) -> None:
    """Modules and data: weights, lexicons, voices, pages. Nothing else but its metadata."""
    with zipfile.ZipFile(wheels[str(source.relative_to(ROOT))]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = {
        str(path.relative_to(source))
        for package in package_folders(source)
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "README.md"
    }
    assert held == expected


def test_the_server_of_a_wheel_runs_from_it(server: str, wheels: dict[str, Path], tmp_path: Path) -> None:
    """Its page and its voices are there, and no module comes from the checkout."""
    with urllib.request.urlopen(f"{server}/v1/voices") as answer:
        assert json.load(answer)["total"] == 4
    with urllib.request.urlopen(f"{server}/") as answer:
        page = answer.read().decode()
    assert '<script type="module"' in page
    python = installed(tmp_path / "environment", [wheels["."], wheels["clients"]], project_dependencies())
    show = "import cosyvoice, rtserver, rtclient; print(cosyvoice.__path__[0], rtserver.__path__[0], rtclient.__file__)"
    found = subprocess.check_output([python, "-c", show], cwd=tmp_path, env=clean_environ(), text=True).split()
    assert len(found) == 3 and all(path.startswith(str(tmp_path)) for path in found)


def test_the_python_client_of_a_wheel_speaks(server: str, wheels: dict[str, Path], tmp_path: Path) -> None:
    """Word by word and as a whole, with nothing but its own dependencies."""
    python = installed(tmp_path / "environment", [wheels["clients"]], site_packages(environment("rtclient")))
    told = program(python, "rtclient_wheel.py", server).told
    assert told["file"].startswith(str(tmp_path))
    for turn in told["turns"]:
        assert turn["words"] == ["one", "two", "three", "four"] and LEAST_BYTES < turn["bytes"] < MOST_BYTES


@pytest.mark.parametrize("source", PLUGINS)
def test_a_plugin_of_a_wheel_speaks(source: str, server: str, wheels: dict[str, Path], tmp_path: Path) -> None:
    """Two turns in its framework, with nothing else of ours but the Python client."""
    framework, name = PLUGINS[source]
    needs = site_packages(environment(framework))
    python = installed(tmp_path / "environment", [wheels[source], wheels["clients"]], needs)
    told = program(python, name, server).told
    assert told["file"].startswith(str(tmp_path)) and told["errors"] == []
    assert len(told["bytes"]) == 2 and all(LEAST_BYTES < size < MOST_BYTES for size in told["bytes"])
