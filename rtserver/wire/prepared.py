"""A whole request over HTTP before it is spoken: what can be refused is refused, then its recordings are decoded."""

from __future__ import annotations

from dataclasses import replace

from rtserver.front.app import App
from rtserver.messages import wire
from rtserver.session.caller import Caller
from rtserver.session.start_request import Recordings, engine_request
from rtserver.wire.opening import Opening


async def prepared(app: App, opening: Opening, caller: Caller) -> tuple[wire.Start, Recordings]:
    """The start without its recordings as they came, and the decoded recordings. Raises RequestError, UploadError."""
    undecoded, backend = opening.undecoded, app.backend
    if undecoded is not None and backend is not None:
        info = app.server_info(backend.engine)
        engine_request(
            opening.start,
            "",
            modes=info.modes,
            languages=info.languages,
            voice_names=info.voice_names,
            caller=caller,
            new_seed=int,
            recordings=undecoded,
        )
    recordings = await opening.recordings(app.recordings, caller.holder)
    return replace(opening.start, prompt_audio=None, source_audio=None), recordings
