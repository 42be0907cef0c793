"""The main function of a child process, in small real programs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess

import msgspec
import pytest

from rtserver.ipc.engine import Cancel
from rtserver.ipc.framing import FrameReader, encode
from rtserver.ipc.message import Message
from rtserver.ipc.process import Progress, Shutdown
from rtserver.ipc.talker import TalkerReady
from rtserver.processes.child import Child
from rtserver.processes.program import Program
from tests.rtserver.processes.programs import open_files
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine

# Sends back what comes until it is asked to end.
_PROGRAM = """
import sys
import msgspec
from rtserver.ipc.message import *
from rtserver.processes.inbox import Lost
from rtserver.processes.run_child import run_child

class ToneOptions(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    max_streams: int = 3

def load(options, tell):
    tell(f"loading {options.model}")
    if options.model == "bad":
        raise FileNotFoundError("no such model")
    while options.model == "endless":
        pass
    if options.model == "mistake":
        raise ZeroDivisionError("a mistake of ours")
    return options.max_streams

def ready(loaded, load_s):
    assert load_s > 0
    return TalkerReady(loaded, 0.0)

def serve(loaded, port, inbox):
    while not isinstance(message := inbox.get(), Shutdown | Lost):
        if message.utterance == "mistake":
            raise ZeroDivisionError("a mistake of ours")
        port.send(message)
        while message.utterance == "spin":
            pass

sys.exit(run_child("tone", ToneOptions, load, serve, ready, end_grace_s=0.2))
"""


class ToneOptions(msgspec.Struct):
    """As the program has them, but for one that may be missing."""

    model: str
    max_streams: int | None = None


def tone(options: msgspec.Struct | None) -> Program:
    return Program("tone", ("-c", _PROGRAM), options)


async def death(program: Program, *messages: Message) -> tuple[str, list[Message]]:
    """How a process ends that is sent these when it is ready, and what it said."""
    before = open_files()
    came: list[Message] = []
    child = await Child.start(program, came.append)
    try:
        if messages:
            await eventually(lambda: any(isinstance(m, TalkerReady) for m in came), 30)
        for message in messages:
            child.send(message)
        return await asyncio.wait_for(child.died(), 30), came
    finally:
        await child.stop(patient=False)
        await eventually(lambda: open_files() == before)


def test_a_program_gets_its_options_and_says_what_it_does() -> None:
    """It tells of its start, then that it is ready, then serves; asked to end, it exits with status 0."""
    how, came = asyncio.run(death(tone(ToneOptions("nano", 7)), Cancel("a"), Shutdown()))
    assert came == [Progress("tone", "loading nano"), Progress("tone", "ready"), TalkerReady(7, 0.0), Cancel("a")]
    assert how == "the tone process ended with exit status 0"


def test_what_cannot_be_loaded_is_told() -> None:
    """The error's type and text are the process's last words; nothing is ready."""
    how, came = asyncio.run(death(tone(ToneOptions("bad", 7))))
    assert how == "the tone process: FileNotFoundError: no such model"
    assert came == [Progress("tone", "loading bad")]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (None, "Object missing required field `model`"),
        (ToneOptions("nano"), "Expected `int`, got `null` - at `$.max_streams`"),
    ],
)
def test_options_that_do_not_fit_are_told(options: msgspec.Struct | None, error: str) -> None:
    """By field; nothing is loaded."""
    how, came = asyncio.run(death(tone(options)))
    assert how == f"the tone process: ValidationError: {error}"
    assert came == []


def test_a_fault_of_the_program_is_printed() -> None:
    """While it loads and while it serves: exit status 1 and the traceback, which the parent keeps."""
    for how, _ in (
        asyncio.run(death(tone(ToneOptions("mistake", 1)))),
        asyncio.run(death(tone(ToneOptions("nano", 1)), Cancel("mistake"))),
    ):
        assert how.startswith("the tone process ended with exit status 1; its last output:\n  | Traceback")
        assert how.endswith("  | ZeroDivisionError: a mistake of ours")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_all_are_left_to_the_parent(number: signal.Signals) -> None:
    """A terminal sends Ctrl-C to every process, systemd SIGTERM; the child goes on until it is told to end."""

    async def scenario() -> None:
        came: list[Message] = []
        child = await Child.start(tone(ToneOptions("nano", 1)), came.append)
        try:
            await eventually(lambda: len(came) == 3, 30)
            os.kill(child.pid, number)
            child.send(Cancel("a"))
            await eventually(lambda: came[3:] == [Cancel("a")])
        finally:
            await child.stop(patient=True)

    asyncio.run(scenario())


@pytest.mark.parametrize(("busy", "status"), [(False, 0), (True, 1)])
def test_one_whose_parent_is_gone_ends(busy: bool, status: int) -> None:
    """With exit status 0: it has nothing more to do. One that is busy without end is ended all the same."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(tone(ToneOptions("nano", 1)).command(theirs.fileno()), pass_fds=[theirs.fileno()])
    theirs.close()
    frames = FrameReader()
    while not any(isinstance(message, TalkerReady) for message in frames.feed(ours.recv(1000))):
        pass
    if busy:
        ours.sendall(encode(Cancel("spin")))
        while Cancel("spin") not in frames.feed(ours.recv(1000)):
            pass
    ours.close()
    assert process.wait(30) == status


def test_one_that_loads_ends_with_its_parent() -> None:
    """At once, however long one that serves may go on."""
    ours, theirs = socket.socketpair()
    patient = _PROGRAM.replace("end_grace_s=0.2", "end_grace_s=600")
    program = Program("tone", ("-c", patient), ToneOptions("endless", 1))
    process = subprocess.Popen(program.command(theirs.fileno()), pass_fds=[theirs.fileno()])
    theirs.close()
    assert ours.recv(1, socket.MSG_PEEK)
    ours.close()
    assert process.wait(30) == 1
