"""A reader that prints secrets and dies over a text."""

from __future__ import annotations

import asyncio
import re

import pytest

from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import OpenText, Read
from rtserver.reader.client import ReaderClient
from tests.rtserver.processes.programs import program
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine

DYING = """
from rtserver.ipc.reading import OpenText, ReaderReady
port.send(ReaderReady(0.1))
while not isinstance(inbox.get(), OpenText): pass
print('SECRET of u_another in /srv/voices')
os._exit(9)
"""


def test_what_it_printed_is_told_to_no_client(caplog: pytest.LogCaptureFixture) -> None:
    """Its client is told what to do and the id under which the log has the rest."""

    async def scenario() -> Failed:
        failed: list[Read | Failed] = []
        readers = ReaderClient(program(DYING), lambda progress: None, verbose=False)
        readers._supervisor.begin()
        try:
            await readers._supervisor.first_ready
            readers.open(OpenText("u", "en"), failed.append)
            await eventually(lambda: failed != [], 30)
        finally:
            await readers.close()
        assert isinstance(failed[0], Failed)
        return failed[0]

    failed = asyncio.run(scenario())
    assert failed.code == "engine_lost"
    told = re.fullmatch(
        r"the reader was lost each time it read this text \((i_\w+)\): it is refused for 300 s", failed.message
    )
    assert told is not None
    (record,) = [record for record in caplog.records if vars(record).get("incident") == told[1]]
    assert "SECRET of u_another in /srv/voices" in record.getMessage()
