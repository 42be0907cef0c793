"""`rtserver dub`: on the engine of tones, whose speech is as long as its text, and on the real engine."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtclient import ConnectionLost
from rtserver.commands.cli import build_parser, main
from rtserver.commands.cue_speaker import CueSpeaker
from rtserver.commands.dub import dub
from rtserver.commands.dub_arguments import dub_options
from rtserver.dubbing.cues import DubbingError
from rtserver.dubbing.fit import Fit
from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.serving import served

# 10 letters are .5 s of tones here.
TONES = FakeOptions(realtime_factor=0.0, seconds_per_text_id=0.05)
# Fits, is longer than its slot at any pleasant speed and delays the third, waits, is too short for its slot.
FILM = """1
00:00:01,000 --> 00:00:02,000
aaaaaaaaaa bbbbbbbbbb

2
00:00:03,000 --> 00:00:04,000
female: cccccccccc cccccccccc cccccccccc cccccccccc

3
00:00:04,000 --> 00:00:05,000
[a door]
- dddddddddd

4
00:00:08,000 --> 00:00:09,500
中文男：eeeeeeeeee
"""


def arguments(folder: Path, *more: str) -> list[str]:
    return ["dub", str(folder / "film.srt"), "-o", str(folder / "track.wav"), "--voice", "英文女", *more]


def dubbed(folder: Path, film: str, *more: str, engine: FakeEngine | None = None) -> dict[str, Any]:
    """The report of a run through a server with the engine of tones."""
    (folder / "film.srt").write_text(film, "utf-8")

    async def scenario() -> None:
        async with served(engine or FakeEngine(TONES)) as server:
            line = arguments(folder, "--report", str(folder / "report.json"), "--server", server.url, *more)
            options = {
                name: value for name, value in vars(build_parser().parse_args(line)).items() if name != "command"
            }
            assert await dub(dub_options(options)) == 0

    asyncio.run(scenario())
    report: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    return report


def samples(path: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_each_cue_is_spoken_in_its_slot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither slower nor faster than asked for. What runs over is told, and delays what follows at once."""
    report = dubbed(tmp_path, FILM)
    keys = ("begin_s", "length_s", "speed", "voice", "overflows")
    assert [[part[key] for key in keys] for part in report["parts"]] == [
        [1.0, 1.0, 1.0, "英文女", False],
        [3.0, pytest.approx(2 / 1.5, abs=0.001), 1.5, "中文女", True],
        [pytest.approx(3 + 2 / 1.5, abs=0.001), pytest.approx(0.5 / 0.8, abs=0.001), 0.8, "英文女", False],
        [8.0, pytest.approx(0.5 / 0.8, abs=0.001), 0.8, "中文男", False],
    ]
    track = samples(tmp_path / "track.wav")
    assert len(track) == 9.5 * 24000 == report["track_s"] * 24000
    heard = np.flatnonzero(np.abs(track) > 100) / 24000
    for part in report["parts"]:
        within = heard[(heard >= part["begin_s"]) & (heard < part["begin_s"] + part["length_s"])]
        assert within[0] - part["begin_s"] < 0.01 and part["begin_s"] + part["length_s"] - within[-1] < 0.01
    silent = heard[(heard < 1) | ((heard > 2) & (heard < 3)) | ((heard > 5) & (heard < 8)) | (heard > 9)]
    assert not len(silent)
    told = capsys.readouterr().err
    assert "1 cue is not over at the end of the slot:\n  film.srt:6 cue 2  0.33 s over, speed 1.50" in told
    assert "1 cue is late, after one that was not over:\n  film.srt:10 cue 3  0.33 s late  'dddddddddd'" in told
    assert "4 pieces of speech, 4 made, 0 kept from before, 1 past the end of their slots" in told


def test_a_second_run_makes_only_what_has_changed(tmp_path: Path) -> None:
    """A moved cue is the same speech; another text, voice or slot is not; nor is a file that is cut off."""
    dubbed(tmp_path, FILM)
    first = samples(tmp_path / "track.wav")
    report = dubbed(tmp_path, FILM)
    assert [part["kept"] for part in report["parts"]] == [True] * 4
    assert np.array_equal(samples(tmp_path / "track.wav"), first)
    changed = FILM.replace("00:00:01,000 --> 00:00:02,000", "00:00:00,500 --> 00:00:01,500").replace("中文男：e", "e")
    report = dubbed(tmp_path, changed)
    assert [part["kept"] for part in report["parts"]] == [True, True, True, False]
    for file in (tmp_path / "track.wav.cues").glob("*.wav"):
        file.write_bytes(file.read_bytes()[:-2])
    assert not any(part["kept"] for part in dubbed(tmp_path, changed)["parts"])


def test_a_guess_makes_the_same_speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It only saves a second request."""
    speeds: dict[str, list[float | None]] = {}
    made = CueSpeaker._made

    async def noted(self: CueSpeaker, order: Any, speed: float | None) -> Any:
        speeds.setdefault(order.text[:1], []).append(speed)
        return await made(self, order, speed)

    def lengths(guess: float | None, folder: str) -> list[float]:
        monkeypatch.setattr(Fit, "guess", lambda self, text, slot_s: guess)
        speeds.clear()
        (tmp_path / folder).mkdir()
        return [part["length_s"] for part in dubbed(tmp_path / folder, FILM)["parts"]]

    monkeypatch.setattr(CueSpeaker, "_made", noted)
    without = lengths(None, "none")
    assert speeds == {"a": [None], "c": [None, 1.5], "d": [None, 0.8], "e": [None, 0.8]}
    assert lengths(0.8, "slow") == without
    assert speeds == {"a": [0.8, None], "c": [0.8, None, 1.5], "d": [0.8], "e": [0.8]}
    assert lengths(1.5, "fast") == without
    assert speeds == {"a": [1.5, None], "c": [1.5], "d": [1.5, None, 0.8], "e": [1.5, None, 0.8]}


def test_what_was_made_before_an_interruption_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run goes on after it."""
    made = CueSpeaker._made

    async def lost_at_the_third(self: CueSpeaker, order: Any, speed: float | None) -> Any:
        if order.text.startswith("d"):
            raise ConnectionLost("gone")
        return await made(self, order, speed)

    monkeypatch.setattr(CueSpeaker, "_made", lost_at_the_third)
    with pytest.raises(ConnectionLost):
        dubbed(tmp_path, FILM, "--parallel", "1")
    assert not (tmp_path / "track.wav").exists()
    monkeypatch.setattr(CueSpeaker, "_made", made)
    assert [part["kept"] for part in dubbed(tmp_path, FILM)["parts"]] == [True, True, False, False]


@pytest.mark.engine  # it waits as long as the server says
def test_a_full_server_is_asked_again(tmp_path: Path) -> None:
    """It takes one utterance at a time, and six are asked for at once."""
    options = FakeOptions(realtime_factor=0.0, seconds_per_text_id=0.05, max_streams=1)
    assert len(dubbed(tmp_path, FILM, "--parallel", "6", engine=FakeEngine(options))["parts"]) == 4


def test_words_have_their_times_in_the_track(tmp_path: Path) -> None:
    """In WebVTT, with the voice."""
    dubbed(tmp_path, FILM, "--vtt", str(tmp_path / "words.vtt"))
    cues = (tmp_path / "words.vtt").read_text("utf-8").split("\n\n")
    assert cues[0] == "WEBVTT" and len(cues) == 5
    assert cues[1] == "00:00:01.000 --> 00:00:02.000\n<v 英文女>aaaaaaaaaa <00:00:01.500>bbbbbbbbbb"


def test_a_film_without_speech_is_silent(tmp_path: Path) -> None:
    """It is as long as its cues."""
    report = dubbed(tmp_path, "1\n00:00:00,000 --> 00:00:02,000\n[a door]\n")
    assert report["parts"] == [] and report["track_s"] == 2.0
    assert not samples(tmp_path / "track.wav").any()


def test_a_map_and_a_format_are_taken(tmp_path: Path) -> None:
    """Voices by name and number from the map; the format from the ending."""
    (tmp_path / "map.toml").write_text('[speakers]\nfemale = "英文男"\n[cues]\n1 = "中文男"\n', "utf-8")
    more = ("--map", str(tmp_path / "map.toml"), "-o", str(tmp_path / "track.mp3"), "--sample-rate", "16000")
    report = dubbed(tmp_path, FILM, *more)
    assert [part["voice"] for part in report["parts"]] == ["中文男", "英文男", "英文女", "中文男"]
    assert (tmp_path / "track.mp3").read_bytes()[:1] == b"\xff"


def test_a_refused_cue_is_named_by_its_line(tmp_path: Path) -> None:
    """With what the server says."""
    with pytest.raises(DubbingError, match=r"film.srt:2: unknown_voice: .*nobody"):
        dubbed(tmp_path, FILM, "--voice", "nobody", "--parallel", "1")


@pytest.mark.parametrize(
    ("film", "more", "message"),
    [
        ("1\n00:01 -> 00:02\nA\n", (), "film.srt:2: expected the number or the times of a cue, found '00:01 -> 00:02'"),
        (FILM, ("-o", "/nowhere/track.wav"), "/nowhere/track.wav: expected an existing directory"),
        (FILM, ("--map", "/nowhere.toml"), "/nowhere.toml"),
        (FILM, ("--slowest", "1.2", "--fastest", "1.1"), "--slowest: expected at most --fastest (1.1), found 1.2"),
        (FILM, ("--format", "opus9"), "opus9"),
    ],
)
def test_faults_of_the_user_are_told_before_anything_loads(
    film: str, more: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line."""
    (tmp_path / "film.srt").write_text(film, "utf-8")
    assert main(arguments(tmp_path, *more)) == 1
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told and "starting a server" not in told


FILM_OF_TWO = """WEBVTT

00:00.500 --> 00:02.500
<v 英文女>Good morning, everybody.

00:02.700 --> 00:05.000
<v 英文男>Good morning. Did you sleep well?

00:05.200 --> 00:08.000
- 英文女: Very well, thank you.
- 英文男: I am glad.

00:08.500 --> 00:10.500
中文女：你好，很高兴认识你。

00:10.500 --> 00:11.200
中文男：今天的天气真不错，我们一起去公园走走吧。

00:11.200 --> 00:15.000
中文女：好的，没问题。

00:15.000 --> 00:17.000
[music]
"""


@pytest.mark.engine
def test_a_short_film_is_dubbed(tmp_path: Path) -> None:
    """Four voices, two languages, on the real engine: each cue sounds at its time, and one overflows."""
    (tmp_path / "film.vtt").write_text(FILM_OF_TWO, "utf-8")
    command = [sys.executable, "-m", "rtserver", "dub", "film.vtt", "-o", "track.wav", "--report", "report.json"]
    done = subprocess.run(
        [*command, "--vtt", "words.vtt", "--cache-dir", "cache"],
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "7 of 7 cues, 0 kept from before" in done.stderr
    parts = json.loads((tmp_path / "report.json").read_bytes())["parts"]
    voices = ["英文女", "英文男", "英文女", "英文男", "中文女", "中文男", "中文女"]
    assert [part["voice"] for part in parts] == voices
    assert [part["overflows"] for part in parts] == [False] * 5 + [True, False]
    track = samples(tmp_path / "track.wav").astype(float)
    loud = np.flatnonzero(np.abs(track) > 500) / 24000
    for part in parts:
        assert part["begin_s"] >= part["slot_start_s"] and 0.8 <= part["speed"] <= 1.5
        within = loud[(loud >= part["begin_s"]) & (loud < part["begin_s"] + part["length_s"])]
        assert within[0] < part["begin_s"] + 0.35 and len(within) > 1000
    assert loud[0] >= 0.5 and loud[-1] < 15 and len(track) == 17 * 24000
    assert (tmp_path / "words.vtt").read_text("utf-8").count("-->") == 7


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    """The help shows examples and a map."""
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(["dub", "--help"])
    told = capsys.readouterr().out
    assert caught.value.code == 0 and "rtserver dub film.srt -o track.wav" in told and "[speakers]" in told
