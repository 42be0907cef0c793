"""Which words our plugin of LiveKit takes for heard: python livekit_heard.py CASES.

CASES: a JSON list of [words with the times at which they begin, seconds of sound, what LiveKit has noted].
"""

import json
import sys

from livekit.agents.types import TimedString
from livekit.plugins.rtserver.heard import heard_text

print(
    json.dumps(
        [
            heard_text([TimedString(word, start_s) for word, start_s in words], played_s, noted)
            for words, played_s, noted in json.loads(sys.argv[1])
        ]
    )
)
