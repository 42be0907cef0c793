"""OpenAI's client: python openai_sdk.py URL CASE KEY VOICE."""

import asyncio
import base64
import json
import sys
import time

import openai
from server_restart import restart_of

TEXT = "one two three four"
LONG = " ".join(["abcdefgh"] * 100)
FORMATS = ("pcm", "wav", "opus", "mp3", "flac", "aac")
MODEL = "gpt-4o-mini-tts"


def formats(client: openai.OpenAI, voice: str) -> object:
    """How many bytes of each format."""
    told = {}
    for name in FORMATS:
        answer = client.audio.speech.create(model=MODEL, voice=voice, input=TEXT, response_format=name)
        told[name] = [len(answer.content), answer.response.headers["content-type"]]
    return told


def streams(client: openai.OpenAI, voice: str) -> object:
    """When the first bytes came and when the last, in seconds."""
    speech = client.audio.speech.with_streaming_response
    from_s = time.monotonic()
    with speech.create(model=MODEL, voice=voice, input=LONG[:200], response_format="mp3") as answer:
        came_s = [time.monotonic() - from_s for _ in answer.iter_bytes(512)]
        return {"first_s": came_s[0], "last_s": came_s[-1], "id": answer.headers["x-request-id"]}


def events(client: openai.OpenAI, voice: str) -> object:
    """The sound of server-sent events, and the last one."""
    speech, events = client.audio.speech.with_streaming_response, []
    with speech.create(
        model=MODEL,
        voice=voice,
        input=TEXT,
        response_format="pcm",
        stream_format="sse",
        instructions="Calmly.",
        speed=1.0,
    ) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line[6:]))
    sound = [base64.b64decode(event["audio"]) for event in events if event["type"] == "speech.audio.delta"]
    return {"bytes": len(b"".join(sound)), "pieces": len(sound), "last": events[-1]}


def interrupts(client: openai.OpenAI, voice: str) -> object:
    """A long text is left after its first bytes; the next one is whole, on the same client."""
    speech = client.audio.speech.with_streaming_response
    with speech.create(model=MODEL, voice=voice, input=LONG, response_format="pcm") as answer:
        next(answer.iter_bytes(1024))
    return len(client.audio.speech.create(model=MODEL, voice=voice, input=TEXT, response_format="pcm").content)


def restarts(client: openai.OpenAI, voice: str) -> object:
    """The client keeps its connection; the one of the old server is broken."""
    speech = client.with_options(max_retries=2).audio.speech
    spoken = {"model": MODEL, "voice": voice, "input": TEXT, "response_format": "pcm"}
    turns = [len(speech.create(**spoken).content)]
    asyncio.run(restart_of(sys.argv[1]))
    return [*turns, len(speech.create(**spoken).content)]


def lists(client: openai.OpenAI, voice: str) -> object:
    models = [model.id for model in client.models.list()]
    return {"models": models, "first": client.models.retrieve(models[0]).object}


def waits(client: openai.OpenAI, voice: str) -> object:
    """Tries again by itself, as long as the server says: after an overload, while the server starts."""
    patient = client.with_options(max_retries=8)
    answer = patient.audio.speech.with_raw_response.create(model=MODEL, voice=voice, input=TEXT, response_format="pcm")
    return {"bytes": len(answer.content), "retries": answer.retries_taken}


def main(url: str, case: str, key: str, voice: str) -> object:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=20)
    try:
        return CASES[case](client, voice)
    except openai.APIStatusError as error:
        told = {"error": type(error).__name__, "status": error.status_code, "code": error.code, "param": error.param}
        return told | {"message": error.message, "retry_after": error.response.headers.get("retry-after")}


CASES = {
    "formats": formats,
    "streams": streams,
    "events": events,
    "interrupts": interrupts,
    "restarts": restarts,
    "lists": lists,
    "waits": waits,
}
print(json.dumps(main(*sys.argv[1:])))
