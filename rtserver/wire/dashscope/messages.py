"""What DashScope's clients send. Fields that are not known are ignored: they tune another model."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct, field


class Header(Struct):
    """What a message is about."""

    action: Literal["run-task", "continue-task", "finish-task"]
    # The client's name for the task.
    task_id: str
    # duplex: text comes in pieces. Otherwise all of it is in run-task.
    streaming: str = "duplex"


class HotFix(Struct):
    """How some words are spoken, each as an object with one key: the word."""

    # In pinyin.
    pronunciation: list[dict[str, str]] = field(default_factory=list)
    # In other words.
    replace: list[dict[str, str]] = field(default_factory=list)


class Parameters(Struct):
    """How a text is spoken."""

    voice: str | None = None
    # pcm, wav, mp3 or opus; Default is mp3.
    format: str = "Default"
    # In Hz; 0 for the usual rate.
    sample_rate: int = 0
    # The speed, as a factor.
    rate: float = 1.0
    # 0 for a random one.
    seed: int = 0
    # How to speak, in words.
    instruction: str | None = None
    language_hints: list[str] | None = None
    word_timestamp_enabled: bool = False
    hot_fix: HotFix | None = None


class Input(Parameters):
    """A piece of text. Over HTTP the parameters are here too."""

    text: str = ""
    # Whether the text so far is spoken to its end.
    flush: bool = False
    # cancel: nothing more is spoken.
    directive: str | None = None


class Payload(Struct):
    """What belongs to the action."""

    input: Input = field(default_factory=Input)
    parameters: Parameters = field(default_factory=Parameters)


class TaskMessage(Struct):
    """A message on the socket."""

    header: Header
    payload: Payload = field(default_factory=Payload)


class SpeechRequest(Struct):
    """The body of an HTTP request."""

    input: Input
    parameters: Parameters | None = None


_MESSAGES = msgspec.json.Decoder(TaskMessage)
_REQUESTS = msgspec.json.Decoder(SpeechRequest)


def message_of(data: str | bytes) -> TaskMessage:
    """Raises ValueError, RecursionError."""
    return _MESSAGES.decode(data)


def request_of(data: bytes | bytearray) -> SpeechRequest:
    """Raises ValueError, RecursionError."""
    return _REQUESTS.decode(data)
