"""The realtime speech server as a text-to-speech plugin of LiveKit's agents."""

import logging

from livekit.agents import Plugin
from livekit.plugins.rtserver.expressive import ExpressiveTTS
from livekit.plugins.rtserver.tts import TTS
from livekit.plugins.rtserver.version import __version__

__all__ = ["TTS", "ExpressiveTTS", "__version__"]


class RTServerPlugin(Plugin):
    """Tells the framework that this plugin is there."""

    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__, logging.getLogger(__name__))


Plugin.register_plugin(RTServerPlugin())
