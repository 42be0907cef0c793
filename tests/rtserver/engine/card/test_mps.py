"""Whether MPS runs, and what is told of it."""

from __future__ import annotations

from pathlib import Path

from rtserver.engine.card.mps import mps_runs, sharing_words


def test_mps_runs_where_its_daemon_has_its_pipe(tmp_path: Path) -> None:
    """In the folder that the environment names."""
    environment = {"CUDA_MPS_PIPE_DIRECTORY": str(tmp_path)}
    assert not mps_runs(environment)
    (tmp_path / "control").touch()
    assert mps_runs(environment)


def test_the_start_tells_it() -> None:
    """And where to read how to start it."""
    assert "side by side" in sharing_words(mps=True)
    assert "docs/gpu.md" in sharing_words(mps=False)
