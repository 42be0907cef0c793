"""The preparer's work, in this process: a real checkpoint's encoders, and sockets."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.model.random_checkpoint import speaker_network
from cosyvoice.config import ModelConfig
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.models import NANO
from cosyvoice.voice.prompt import PromptEncoder
from cosyvoice.voice.prompt_cache import unpack_prompt
from cosyvoice.voice.recording import Wave, read_wave
from cosyvoice.voice.store import SHIPPED_VOICES, VoiceStore
from rtserver.engine.preparer import Models, Preparation, serve
from rtserver.engine.transcripts import Transcripts
from rtserver.ipc.framing import FrameReader
from rtserver.ipc.message import Message
from rtserver.ipc.preparing import Dismiss, PreparationKey, Prepare, Prepared, Recording
from rtserver.processes.inbox import Inbox
from rtserver.processes.port import Port
from rtserver.reader.text_front import TextFront

TRANSCRIPTS = Transcripts(ModelConfig.load(NANO), Tokenizer.load(ModelConfig.load(NANO)))
VOICE = PreparationKey("voice", "英文女")


def source_key(digest: str) -> PreparationKey:
    return PreparationKey("source", digest)


def recording(name: str = "en_female", times: int = 1) -> Recording:
    """A shipped recording of 3 s at 24 kHz."""
    wave, rate_hz = read_wave(SHIPPED_VOICES / f"{name}.wav")
    return Recording((np.tile(wave, times) * 32768).astype("<i2").tobytes(), rate_hz).named()


def source(times: int = 1, name: str = "a") -> Prepare:
    return Prepare(source_key(name), recording(times=times))


@pytest.fixture
def nano(tmp_path: Path) -> VoiceStore:
    return VoiceStore(ModelConfig.load(NANO), PromptEncoder(NANO), cache_dir=tmp_path)


def finished(store: VoiceStore, request: Prepare) -> Prepared:
    """All of a preparation."""
    job = Preparation(Models(store, TRANSCRIPTS), request)
    while (prepared := job.advance()) is None:
        pass
    return prepared


def test_a_voice_of_the_catalogue(nano: VoiceStore) -> None:
    """It is put into the cache, if need be; an unknown one is an error with its code."""
    assert finished(nano, Prepare(VOICE)) == Prepared(VOICE)
    failed = finished(nano, Prepare(PreparationKey("voice", "nobody")))
    assert failed.code == "unknown_voice" and "'nobody'" in failed.message


def test_a_source_becomes_tokens_piece_by_piece(nano: VoiceStore) -> None:
    """36 s are two pieces, and what is left grows less with each."""
    job = Preparation(Models(nano, TRANSCRIPTS), source(times=12))
    assert job.left_s == 36.0
    assert job.advance() is None and job.left_s == 6.0
    assert job.advance() is None and job.left_s == 0.0
    prepared = job.advance()
    assert prepared is not None and prepared.code == "" and prepared.pieces is not None
    assert prepared.key == source_key("a") and [len(p) > 100 for p in prepared.pieces] == [True, True]
    wave, rate_hz = read_wave(SHIPPED_VOICES / "en_female.wav")
    expected = nano.encoder.speech_tokens(np.tile(wave, 12), rate_hz)
    found = [token for piece in prepared.pieces for token in piece]
    assert len(found) == len(expected) == 900
    assert sum(a != b for a, b in zip(found, expected)) <= 9  # samples of 16 bits move a code now and then


def test_a_recording_becomes_a_prompt(tmp_path: Path) -> None:
    """Packed, and in the cache under its digest."""
    model = tmp_path / "model"
    model.mkdir()
    for name in ("cosyvoice3.yaml", "speech_tokenizer_v3.onnx", "CosyVoice-BlankEN"):
        (model / name).symlink_to(NANO / name)
    (model / "campplus.onnx").write_bytes(speaker_network(outputs=192))
    store = VoiceStore(ModelConfig.load(model), PromptEncoder(model), cache_dir=tmp_path / "cache")
    one = recording()
    prepared = finished(store, Prepare(PreparationKey("recording", "x"), one))
    assert prepared.key == PreparationKey("recording", "x") and prepared.code == "" and prepared.prompt is not None
    assert len(unpack_prompt(prepared.prompt).speech_tokens) == 75
    kept = store.recorded(one.digest)
    assert kept is not None and kept.speech_tokens == unpack_prompt(prepared.prompt).speech_tokens


def test_a_transcript_is_read_as_text_to_be_spoken(nano: VoiceStore) -> None:
    """Numbers and words become phonemes in the language of each; what cannot be spoken is an error of prompt_text."""
    text = "Room 7, please. 请开门。"
    prepared = finished(nano, Prepare(PreparationKey("transcript", text)))
    front = TextFront(ModelConfig.load(NANO))
    stream = front.stream()
    expected = [i for segment in [*stream.feed(text), *stream.end()] for i in segment.ids]
    assert prepared.ids == expected and len(expected) > 20
    assert prepared.ids != front.tokenizer.encode(text)
    failed = finished(nano, Prepare(PreparationKey("transcript", "...")))
    assert failed.code == "bad_message" and failed.message.startswith("prompt_text: expected words")


@pytest.mark.parametrize(
    ("kind", "pcm", "rate", "code", "message"),
    [
        ("recording", b"\0\0" * 24000, 24000, "bad_audio", "prompt_audio: expected speech, found silence"),
        ("source", b"\0\0" * 24000, 24000, "bad_audio", "source_audio: expected speech, found silence"),
        ("source", b"\0\0" * 100, 24000, "bad_audio", "source_audio: expected 0.1 to 300 s of audio"),
        ("source", b"\0\0" * 24000, 0, "bad_audio", "source_audio: expected a sample rate"),
        ("source", b"\0" * 24001, 24000, "bad_audio", "source_audio: expected samples of 2 bytes"),
    ],
)
def test_what_cannot_be_prepared(nano: VoiceStore, kind: str, pcm: bytes, rate: int, code: str, message: str) -> None:
    """The answer carries the code and names the field."""
    failed = finished(nano, Prepare(PreparationKey(kind, "x"), Recording(pcm, rate, "digest")))  # type: ignore[arg-type]
    assert (failed.key.what, failed.code) == ("x", code) and message in failed.message


class Parent:
    """The other end of the preparer's socket; what it sends is in the inbox at once."""

    def __init__(self, sock: socket.socket, inbox: Inbox) -> None:
        self._sock = sock
        self._inbox = inbox
        self._frames = FrameReader()
        self._messages: list[Message] = []

    def send(self, *messages: Message) -> None:
        for message in messages:
            self._inbox.put(message)

    def receive(self) -> Message:
        """The next message."""
        while not self._messages:
            data = self._sock.recv(1 << 16)
            assert data, "the preparer hung up"
            self._messages += self._frames.feed(data)
        return self._messages.pop(0)


@contextlib.contextmanager
def serving(store: VoiceStore, *first: Message) -> Iterator[Parent]:
    """A preparer in a thread, which has these messages at its start and ends when its parent hangs up."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    inbox = Inbox()
    parent = Parent(ours, inbox)
    parent.send(*first)
    port = Port(theirs, inbox)
    thread = threading.Thread(target=serve, args=(Models(store, TRANSCRIPTS), port, inbox))
    thread.start()
    try:
        yield parent
    finally:
        ours.close()
        thread.join(20)
        port.close()
    assert not thread.is_alive()


class Gate:
    """Sources in place of which others are tokenized, a piece for each `open`; its token is the length in seconds."""

    def __init__(self) -> None:
        self._begun: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._allowed: queue.SimpleQueue[None] = queue.SimpleQueue()

    def pieces(self, wave: Wave, rate_hz: int) -> Iterator[list[int]]:
        for _ in range(-(-len(wave) // (30 * rate_hz))):
            self._begun.put(None)
            self._allowed.get(timeout=20)
            yield [round(len(wave) / rate_hz)]

    def wait(self) -> None:
        """Until a piece is being worked on."""
        self._begun.get(timeout=20)

    def open(self) -> None:
        """Lets one piece be done."""
        self._allowed.put(None)


@pytest.fixture
def gate(nano: VoiceStore, monkeypatch: pytest.MonkeyPatch) -> Gate:
    made = Gate()
    monkeypatch.setattr(nano.encoder, "source_pieces", made.pieces)
    return made


def timed(seconds: int, name: str) -> Prepare:
    """A source of which only the length matters."""
    return Prepare(source_key(name), Recording(b"\1\0" * 10 * seconds, 10, name))


def test_what_has_least_to_do_comes_first(nano: VoiceStore, gate: Gate) -> None:
    """A short source, and a voice, that come while a long one is worked on are done between two of its pieces."""
    with serving(nano, timed(63, "long")) as parent:
        gate.wait()
        parent.send(timed(3, "short"), Prepare(VOICE))
        for _ in range(4):
            gate.open()
        assert [parent.receive() for _ in range(3)] == [
            Prepared(VOICE),
            Prepared(source_key("short"), pieces=[[3]]),
            Prepared(source_key("long"), pieces=[[63]] * 3),
        ]


def test_what_is_dismissed_is_not_answered(nano: VoiceStore, gate: Gate) -> None:
    """It is told back, once, and the work goes on with the rest; what was answered already is not told back."""
    with serving(nano, timed(63, "long"), timed(33, "other")) as parent:
        gate.open()
        gate.open()
        assert parent.receive() == Prepared(source_key("other"), pieces=[[33]] * 2)
        for _ in range(3):
            gate.wait()  # the long one's first piece has begun
        parent.send(
            Dismiss(source_key("long")),
            Dismiss(source_key("other")),
            Dismiss(source_key("stranger")),
        )
        gate.open()
        assert parent.receive() == Dismiss(source_key("long"))
        parent.send(timed(3, "short"))
        gate.open()
        assert parent.receive() == Prepared(source_key("short"), pieces=[[3]])


def test_what_is_asked_for_again_meanwhile_is_done_once(nano: VoiceStore, gate: Gate) -> None:
    """The second request is answered by the first one's work."""
    with serving(nano, timed(3, "a"), timed(3, "a"), timed(4, "b")) as parent:
        gate.open()
        gate.open()
        assert [parent.receive(), parent.receive()] == [
            Prepared(source_key("a"), pieces=[[3]]),
            Prepared(source_key("b"), pieces=[[4]]),
        ]
