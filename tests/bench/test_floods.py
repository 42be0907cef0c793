"""The floods in small: when one is over, the server holds nothing of it; and the table of what they did."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from bench.load.attacks.attacked import Attacked, Lag
from bench.load.attacks.floods import FLOODS, Flood, Target
from bench.load.floods import table
from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.serving import eventually, served

FLOOD_S = 0.5


@pytest.mark.engine
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_leaves_nothing(flood: Flood) -> None:
    """A client that comes after it is answered, and nothing is held any more."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0))) as server:
            target = Target(int(server.url.rsplit(":", 1)[1]), "nobody's")
            flooding = asyncio.ensure_future(flood(target))
            await asyncio.sleep(FLOOD_S)
            assert not flooding.done()
            flooding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await flooding
            target.abort()
            await eventually(lambda: not server.app.connections and not server.app.accounts.holders, 60)
            assert server.engine.live == 0
            after = await target.socket()
            assert after.is_open and await after.synchronised(10)
            target.abort()

    asyncio.run(scenario())


def test_the_table_has_a_row_for_each_flood_and_its_sources() -> None:
    """Floods in their order, before and now."""
    row = {
        "rss_before_mib": 84.6, "rss_peak_mib": 158.2, "loop_lag_ms": {"p50_ms": 0.21, "p99_ms": 3.76, "max_ms": 9.8},
        "gaps": 2, "gap_s": 1.26, "newcomer": "61 ms",
    }  # fmt: skip
    lines = table({"slow_bodies": {"before": row, "now": row | {"gaps": 0, "gap_s": 0.0}}}).splitlines()
    assert lines[2:] == [
        "| slow bodies | before | 85, 158 | 0.2, 3.8, 10 | 2, 1.3 | 61 ms |",
        "| slow bodies | now | 85, 158 | 0.2, 3.8, 10 | 0, 0.0 | 61 ms |",
    ]


def test_the_lag_between_two_times(tmp_path: Path) -> None:
    """Percentiles by nearest rank, of the records between them alone, also less the wait for a core; none: zero."""
    (tmp_path / "lag").write_text("".join(f"{at}.0 {at}.5 {at if at < 100 else 30}.0\n" for at in range(200)))
    attacked = Attacked("http://127.0.0.1:1", 1, tmp_path / "lag")
    assert attacked.lag(1, 100) == Lag(50.5, 99.5, 100.5, own_p99_ms=0.5, own_max_ms=70.5, core_wait=0.05)
    assert attacked.lag(300, 400) == Lag(0.0, 0.0, 0.0, 0.0, 0.0, 0.0) and attacked.port == 1


def test_faults_in_the_log_are_kept(tmp_path: Path) -> None:
    """A traceback and an incident are faults; other lines are none."""
    attacked = Attacked("http://127.0.0.1:1", 1, tmp_path / "lag")
    for line in ("loading nano\n", "Traceback (most recent call last):\n", "ERROR a fault incident=i_1\n"):
        attacked.read_log(line)
    assert attacked.faults == ["Traceback (most recent call last):", "ERROR a fault incident=i_1"]
