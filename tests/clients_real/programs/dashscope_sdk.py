"""Aliyun's own client against a server: python dashscope_sdk.py URL CASE KEY VOICE."""

import asyncio
import base64
import json
import logging
import sys
import threading
import time
import urllib.request
from typing import Any

import dashscope
from dashscope.audio.http_tts import HttpSpeechSynthesizer
from dashscope.audio.qwen_tts_realtime import QwenTtsRealtime, QwenTtsRealtimeCallback
from dashscope.audio.tts_v2 import AudioFormat, ResultCallback, SpeechSynthesizer, SpeechSynthesizerObjectPool
from server_restart import restart_of

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)
MODEL = "cosyvoice-v3-flash"
PCM = AudioFormat.PCM_24000HZ_MONO_16BIT


class Heard(ResultCallback):
    """What comes of one task."""

    def __init__(self) -> None:
        self.bytes = 0
        self.words: list[str] = []
        self.characters = 0
        self.error: Any = None
        self.sounded = threading.Event()
        self.over = threading.Event()

    def on_data(self, data: bytes) -> None:
        self.bytes += len(data)
        self.sounded.set()

    def on_event(self, message: str) -> None:
        payload = json.loads(message)["payload"]
        self.words += [word["text"] for word in payload["output"]["sentence"]["words"]]
        self.characters = payload.get("usage", {}).get("characters", self.characters)

    def on_error(self, message: str) -> None:
        self.error = json.loads(message)["header"]
        self.sounded.set()

    def on_close(self) -> None:
        self.over.set()

    @property
    def told(self) -> dict[str, Any]:
        return {"bytes": self.bytes, "words": self.words, "characters": self.characters, "error": self.error}


class Responses(QwenTtsRealtimeCallback):
    """What comes on a realtime socket, response by response."""

    def __init__(self) -> None:
        self.turns: list[dict[str, Any]] = []
        self.error: Any = None
        self.sounded, self.over, self.closed = threading.Event(), threading.Event(), threading.Event()

    def on_event(self, message: Any) -> None:
        match message["type"]:
            case "response.created":
                self.turns.append({"bytes": 0})
            case "response.audio.delta":
                self.turns[-1]["bytes"] += len(base64.b64decode(message["delta"]))
                self.sounded.set()
            case "response.done":
                self.turns[-1]["status"] = message["response"]["status"]
                self.over.set()
            case "error":
                self.error = message["error"]
                self.over.set()

    def on_close(self, close_status_code: Any, close_msg: Any) -> None:
        self.closed.set()


class Case:
    """What the client can be asked to do."""

    def __init__(self, url: str, voice: str) -> None:
        self.url = url
        self.ws = url.replace("http", "ws", 1) + "/api-ws/v1/inference"
        self.realtime_url = url.replace("http", "ws", 1) + "/api-ws/v1/realtime"
        self.http_url = f"{url}/api/v1"
        self.voice = voice

    def synthesizer(self, heard: Heard | None = None, **options: Any) -> SpeechSynthesizer:
        given = {"model": MODEL, "voice": self.voice, "format": PCM, "url": self.ws, "callback": heard}
        return SpeechSynthesizer(**given | options)

    def turn(self, synthesizer: SpeechSynthesizer, heard: Heard) -> dict[str, Any]:
        """Token by token."""
        for token in TEXT.replace(" ", "\0 ").split("\0"):
            synthesizer.streaming_call(token)
        synthesizer.streaming_complete(10_000)
        return heard.told

    def speaks(self) -> object:
        """A whole text, then tokens with word times, a flush between two texts, and the usual format."""
        whole = self.synthesizer().call(TEXT)
        heard = Heard()
        streamed = self.turn(self.synthesizer(heard, additional_params={"word_timestamp_enabled": True}), heard)
        flushed = Heard()
        synthesizer = self.synthesizer(flushed)
        synthesizer.streaming_call(TEXT)
        synthesizer.streaming_flush()
        flushed.sounded.wait(10)
        synthesizer.streaming_complete(10_000)
        mp3 = self.synthesizer(format=AudioFormat.DEFAULT).call(TEXT)
        return [{"bytes": len(whole)}, streamed, flushed.told, {"mp3": len(mp3)}]

    def http(self) -> object:
        """As the address of a file, and in events."""
        given = {"model": MODEL, "text": TEXT, "voice": self.voice, "audio_format": "pcm", "url": self.http_url}
        answer = HttpSpeechSynthesizer.call(**given)
        if answer.audio_url is None:
            return {"status": answer.status_code, "code": answer.code, "message": answer.message}
        with urllib.request.urlopen(answer.audio_url) as file:
            size = len(file.read())
        *_, last = HttpSpeechSynthesizer.call(**given, stream=True)
        return [{"bytes": size}, {"bytes": len(last.audio_data)}]

    def interrupts(self) -> object:
        """Cancelled in mid-speech; the client closes the socket, and the next turn takes another."""
        heard = Heard()
        synthesizer = self.synthesizer(heard)
        synthesizer.streaming_call(LONG)
        heard.sounded.wait(10)
        from_s = time.monotonic()
        synthesizer.streaming_cancel()
        took_s, after = time.monotonic() - from_s, Heard()
        return {"took_s": took_s, "over": heard.over.is_set(), **self.turn(self.synthesizer(after), after)}

    def pool(self) -> object:
        """Two turns on one socket of the connection pool."""
        pool = SpeechSynthesizerObjectPool(max_size=1, url=self.ws)
        turns = [self.pooled_turn(pool), self.pooled_turn(pool)]
        pool.shutdown()
        return turns

    def pooled_turn(self, pool: SpeechSynthesizerObjectPool) -> dict[str, Any]:
        heard = Heard()
        synthesizer = pool.borrow_synthesizer(model=MODEL, voice=self.voice, format=PCM, url=self.ws, callback=heard)
        told = self.turn(synthesizer, heard)
        pool.return_synthesizer(synthesizer)
        return told

    def restarts(self) -> object:
        """The socket in the pool is one of the old server."""
        pool = SpeechSynthesizerObjectPool(max_size=1, url=self.ws)
        turns = [self.pooled_turn(pool)]
        asyncio.run(restart_of(self.url))
        turns.append(self.pooled_turn(pool))
        pool.shutdown()
        return turns

    def opened(self, mode: str = "server_commit") -> tuple[QwenTtsRealtime, Responses]:
        """A realtime socket."""
        heard = Responses()
        client = QwenTtsRealtime("qwen3-tts-flash-realtime", callback=heard, url=self.realtime_url)
        client.connect()
        client.update_session(voice=self.voice, mode=mode)
        return client, heard

    def realtime(self) -> object:
        """A text that comes in tokens and is interrupted, two on the same socket, and the end of the session; then
        one that is committed."""
        client, heard = self.opened()
        client.append_text(LONG)
        heard.sounded.wait(10)
        client.cancel_response()
        for last in (False, True):
            heard.over.wait(10)
            heard.over.clear()
            for token in TEXT.replace(" ", "\0 ").split("\0"):
                client.append_text(token)
            client.finish() if last else client.commit()
        heard.closed.wait(10)
        other, committed = self.opened("commit")
        other.append_text(TEXT)
        other.commit()
        committed.over.wait(10)
        other.close()
        return [*heard.turns, *committed.turns]

    def realtime_fails(self) -> object:
        client, heard = self.opened()
        heard.over.wait(1)
        client.append_text(LONG)
        heard.over.wait(10)
        client.close()
        return heard.error

    def fails(self) -> object:
        """A whole text."""
        heard = Heard()
        self.synthesizer(heard).call(LONG)
        heard.sounded.wait(10)
        return heard.told


def main(url: str, case: str, key: str, voice: str) -> object:
    dashscope.api_key = key
    logging.getLogger("dashscope").setLevel(logging.CRITICAL)
    try:
        return getattr(Case(url, voice), case)()
    except Exception as error:
        return {"raised": type(error).__name__, "message": str(error)}


print(json.dumps(main(*sys.argv[1:])), flush=True)
