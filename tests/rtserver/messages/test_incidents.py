"""Faults of the server: an id for the client, everything else for the log."""

from __future__ import annotations

import logging

import pytest

from rtserver.messages.incidents import client_text, report

LOG = logging.getLogger(__name__)


def test_a_fault_has_an_id_that_the_log_has_too(caplog: pytest.LogCaptureFixture) -> None:
    """Each fault has another one; the fields of the caller come along."""
    incidents = [report(LOG, "broken: SECRET", {"utterance": "u"}) for _ in range(2)]
    assert len(set(incidents)) == 2
    found = [(r.levelname, r.getMessage(), vars(r)["incident"], vars(r)["utterance"]) for r in caplog.records]
    assert found == [("ERROR", "broken: SECRET", incident, "u") for incident in incidents]
    assert not any(record.exc_info for record in caplog.records)


def test_a_fault_that_is_an_exception_has_its_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The exception that is being handled."""
    fault = KeyError("SECRET")
    try:
        raise fault
    except KeyError:
        report(LOG, "broken")
    (record,) = caplog.records
    assert record.exc_info is not None and record.exc_info[1] is fault


def test_a_client_is_told_what_to_do() -> None:
    """Try again, or give the id to the operator."""
    assert "try again" in client_text("i_x") and client_text("i_x").endswith("this id: i_x")
