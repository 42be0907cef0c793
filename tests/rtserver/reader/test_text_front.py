"""Reading for the server: what is loaded before a user's first text."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cosyvoice.frontend.language import BOTH
from rtserver.reader.text_front import WARM_UP_TEXTS

# Loads the languages, reads other texts, and prints the modules that were imported only then.
_CODE = """
import sys
from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.reader.text_front import TextFront
front = TextFront(ModelConfig.load(NANO))
for language in ("en", "zh"):
    front.load(language)
before = set(sys.modules)
for language, text in (("en", "In 1999 Mrs. Xyzzy ran 12.5 km for $3, at 10:30."), ("zh", "1999年12月，他花了3.5元。")):
    stream = front.stream(language, words=True)
    assert [*stream.feed(text), *stream.end()]
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.engine
def test_a_first_text_imports_nothing() -> None:
    """Numbers, dates, money and unknown words of a user's first texts find all packages loaded."""
    result = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
    assert set(WARM_UP_TEXTS) == BOTH


_CODE_OF_WORDS = """
import sys
from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.reader.text_front import TextFront
TextFront(ModelConfig.load(NANO)).load_others()
from cosyvoice.frontend.mandarin import cut_words
before = set(sys.modules)
assert len(cut_words("今天天气很好")) == 3
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.engine
def test_words_of_mandarin_are_loaded_for_all() -> None:
    """Whatever the languages of the server, any text may have Han characters, which are cut into words."""
    result = subprocess.run([sys.executable, "-c", _CODE_OF_WORDS], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
