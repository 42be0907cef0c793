"""What clients of DashScope's realtime socket send. Fields that are not known are ignored: they tune another model."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

from rtserver.wire.dashscope.messages import Parameters


class RealtimeSession(msgspec.Struct):
    """How texts are spoken."""

    voice: str | None = None
    # server_commit: text is spoken as it comes. commit: a text is spoken when the client says that it is complete.
    mode: Literal["server_commit", "commit"] = "server_commit"
    response_format: str = "pcm"
    # In Hz.
    sample_rate: int = 24000
    # The speed, as a factor.
    speech_rate: float = 1.0
    # How to speak, in words.
    instructions: str | None = None

    @property
    def parameters(self) -> Parameters:
        """The same as a task of the other socket names it."""
        return Parameters(
            voice=self.voice,
            format=self.response_format,
            sample_rate=self.sample_rate,
            rate=self.speech_rate,
            instruction=self.instructions,
        )


class SessionUpdate(msgspec.Struct, tag="session.update"):
    """For texts that begin after it."""

    session: RealtimeSession = field(default_factory=RealtimeSession)


class AppendText(msgspec.Struct, tag="input_text_buffer.append"):
    """More text."""

    text: str


class CommitText(msgspec.Struct, tag="input_text_buffer.commit"):
    """The text so far is complete."""


class ClearText(msgspec.Struct, tag="input_text_buffer.clear"):
    """The text that was not committed is dropped."""


class CancelResponse(msgspec.Struct, tag="response.cancel"):
    """Nothing more is spoken of what was said so far."""


class FinishSession(msgspec.Struct, tag="session.finish"):
    """No more text comes; the socket closes when all is spoken."""


RealtimeMessage = SessionUpdate | AppendText | CommitText | ClearText | CancelResponse | FinishSession
