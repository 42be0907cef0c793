"""The `rtserver say` command as a user runs it."""

import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest

from rtserver.commands.cli import build_parser

COMMAND = [sys.executable, "-m", "rtserver", "say"]


def run(*arguments: str, text: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*COMMAND, *arguments], input=text, capture_output=True, timeout=120, check=False)


@pytest.mark.engine
def test_a_text_becomes_a_file(tmp_path: Path) -> None:
    """One command, one WAV; progress, first audio and the realtime factor are told."""
    path = tmp_path / "out.wav"
    done = run("Good morning, everybody.", "-o", str(path), "--seed", "3", "--cache-dir", str(tmp_path / "cache"))
    told = done.stderr.decode()
    assert done.returncode == 0, told
    with wave.open(str(path)) as wav:
        assert wav.getframerate() == 24000 and 0.8 < wav.getnframes() / 24000 < 3
    for word in ("starting a server for nano", "reader:", "talker:", "acoustic:", "ready", "first audio"):
        assert word in told
    assert "realtime factor" in told and str(path) in told


@pytest.mark.engine
def test_standard_input_is_spoken_as_it_comes(tmp_path: Path) -> None:
    """Sound starts while the writer still writes, and all of the text is spoken to standard output."""
    process = subprocess.Popen(
        [*COMMAND, "-", "-o", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(b"The meeting was moved to Thursday afternoon, because of the storm that is coming. ")
    process.stdin.flush()
    for line in process.stderr:
        if b"first audio" in line:
            break
    else:
        pytest.fail("no audio before the end of the text")
    process.stdin.write(b"Then we will see.")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out[:4] == b"RIFF" and len(out) > 44 + 2 * 24000 * 3


@pytest.mark.engine
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Hello", "--model", "/nowhere"], "/nowhere: expected a model directory"),
        (["Hello", "-o", "/nowhere/out.wav"], "expected an existing directory"),
    ],
)
def test_faults_before_loading_are_one_line(arguments: list[str], message: str) -> None:
    """What can be known at once is told at once, without a traceback."""
    start = time.monotonic()
    done = run(*arguments)
    assert done.returncode == 1 and message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode() and time.monotonic() - start < 20


@pytest.mark.engine
def test_an_unknown_voice_names_the_known_ones(tmp_path: Path) -> None:
    """The error lists the voices."""
    done = run("Hello", "--voice", "nobody", "-o", str(tmp_path / "out.wav"))
    assert done.returncode == 1 and "英文女" in done.stderr.decode() and "Traceback" not in done.stderr.decode()


@pytest.mark.engine
def test_interruption_leaves_no_process(tmp_path: Path) -> None:
    """Ctrl-C while loading ends the command, and soon its engine processes: they end when their socket does."""
    # A command that runs in the background of a script inherits an ignored SIGINT; env gives it back.
    command = ["env", "--default-signal=INT", *COMMAND, "Hello", "-o", str(tmp_path / "out.wav")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr
        for line in process.stderr:
            if b"starting vLLM" in line:
                break
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert len(children) == 3
    end_s = time.monotonic() + 30
    while left := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < end_s, f"processes {left} are still there"
        time.sleep(0.1)


@pytest.mark.parametrize(
    "arguments", [["say"], ["say", "x", "--speed", "9"], ["say", "x", "--seed", "-1"], ["sing", "x"], []]
)
def test_wrong_arguments_are_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """argparse's exit status 2, with a message."""
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(arguments)
    assert caught.value.code == 2 and capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    """The help shows examples."""
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(["say", "--help"])
    assert caught.value.code == 0 and "some-llm | rtserver say -" in capsys.readouterr().out
