"""The realtime speech server as a text-to-speech service of pipecat."""

from pipecat_rtserver.service import RTServerTTSService, RTServerTTSSettings

__all__ = ["RTServerTTSService", "RTServerTTSSettings"]
