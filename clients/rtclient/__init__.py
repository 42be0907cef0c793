"""Async client of the realtime speech server.

async with connect("ws://127.0.0.1:8790") as session:
    async for audio in session.speak(words()):
        play(audio.pcm)
"""

from rtclient.errors import ClientError, ConnectionLost, ServerError
from rtclient.messages import Audio, Cancelled, Done, Flushed, Info, Mark, SpeechWarning, Started
from rtclient.reconnecting import Reconnecting
from rtclient.session import Session, connect
from rtclient.speech import Speech
from rtclient.words import Words

__all__ = [
    "Audio",
    "Cancelled",
    "ClientError",
    "ConnectionLost",
    "Done",
    "Flushed",
    "Info",
    "Mark",
    "Reconnecting",
    "ServerError",
    "Session",
    "Speech",
    "SpeechWarning",
    "Started",
    "Words",
    "connect",
]
