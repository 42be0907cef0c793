"""The plugin as LiveKit's expressive mode accepts it."""

from __future__ import annotations

from typing import Any

from livekit.agents import APIConnectOptions, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.plugins.rtserver.markup import Markup
from livekit.plugins.rtserver.tts import TTS


class ExpressiveTTS(tts.StreamAdapter):
    """For `AgentSession(tts=ExpressiveTTS(TTS(...)), expressive=True)`.

    The framework teaches a model markup only where it knows that no tag is read aloud: with its own adapter of plugins
    that take whole sentences. This is such an adapter by its type. But tokens go to the plugin as they come: it turns
    the tags into those of the server itself.
    """

    Markup = Markup

    def __init__(self, speaker: TTS) -> None:
        """Makes it. Close the speaker yourself."""
        super().__init__(tts=speaker)
        self._speaker = speaker
        speaker.on("error", self._on_error)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> Any:
        """Speaks text while it comes."""
        return self._speaker.stream(conn_options=conn_options)

    def _on_error(self, error: Any) -> None:
        self.emit("error", error)

    async def aclose(self) -> None:
        """Leaves the speaker to itself."""
        self._speaker.off("error", self._on_error)
        await super().aclose()
