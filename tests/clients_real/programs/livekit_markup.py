"""The markup of our plugin for LiveKit: python livekit_markup.py URL TEXT...

The program tells what each text becomes, as a whole and character by character.
"""

import json
import sys

from livekit.agents.tts import StreamAdapter
from livekit.plugins import rtserver
from livekit.plugins.rtserver.lowering import Lowering


def in_pieces(text: str) -> str:
    lowering = Lowering()
    return "".join([*map(lowering.feed, text), lowering.end()])


def main(url: str, *texts: str) -> None:
    tts = rtserver.TTS(url=url)
    markup = tts.markup
    told = {
        "whole": [markup.convert(markup.normalize(text)) for text in texts],
        "pieces": [in_pieces(text) for text in texts],
        "taught": markup.llm_instructions(),
        "adapter": StreamAdapter(tts=tts).markup.llm_instructions(),
    }
    print(json.dumps(told))


main(*sys.argv[1:])
