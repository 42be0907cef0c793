"""The corpus's plan: the same on every machine, nothing measured in it, held-out texts known by their text alone."""

from __future__ import annotations

from itertools import islice

import pytest

from cosyvoice.frontend.language import Language
from cosyvoice.nano.corpus import english_talk, mandarin_talk
from cosyvoice.nano.corpus.plan import plan
from cosyvoice.nano.corpus.reserved import is_reserved, reserved_sentences
from cosyvoice.nano.corpus.rows import Row
from cosyvoice.nano.corpus.sentences import Pools, english_sentences, mandarin_sentences
from cosyvoice.nano.corpus.voices import BRIEF_ROWS, NAMED, brief_voices, style_mixture

pytestmark = pytest.mark.model


def pools() -> dict[Language, Pools]:
    return {
        "zh": {
            kind: [f"{kind}句子{'一二三四五六七八九'[i % 9]}{i}。" for i in range(300)] for kind in ("review", "news")
        },
        "en": {kind: [f"A {kind} number {i}." for i in range(300)] for kind in ("fortune", "speech", "novel")},
    }


def test_the_plan_is_the_same_every_time() -> None:
    """Two runs speak the same texts with the same voices in the same order."""
    assert list(islice(plan(pools()), 3000)) == list(islice(plan(pools()), 3000))


def test_a_voice_never_says_a_text_twice() -> None:
    """Keys of rows are different over the whole plan."""
    keys = [row.key for row in plan(pools())]
    assert len(keys) == len(set(keys)) > 10_000


def test_mandarin_voices_take_turns_and_every_voice_gets_its_rows() -> None:
    """The first rows alternate between the two Mandarin voices; all named and brief voices come."""
    rows = list(plan(pools()))
    assert [row.voice for row in rows[:5]] == ["zf_xiaoxiao", "zm_yunxi", "zf_xiaoxiao", "zm_yunxi", "am_michael"]
    count = {voice: sum(row.voice == voice for row in rows) for voice in {row.voice for row in rows}}
    assert all(0 < count[voice.teacher] <= voice.rows for voice in NAMED)
    assert all(count[voice] == BRIEF_ROWS for voice in [*brief_voices("zh"), *brief_voices("en")])


def test_more_sentences_do_not_change_the_order_of_those_before() -> None:
    """A larger pool only inserts rows: what was spoken once stays in the plan in the same order."""
    small = pools()
    large = pools()
    large["zh"]["news"] += ["多出来的一个新闻句子。"]
    news = [row.text for row in plan(small) if row.voice == "zm_yunxi" and row.kind == "news"]
    more = [row.text for row in plan(large) if row.voice == "zm_yunxi" and row.kind == "news"]
    assert [text for text in more if text in set(news)] == news


@pytest.mark.parametrize("name", ["english", "mandarin"])
def test_sentences_kept_for_measurement_are_in_no_plan(name: str) -> None:
    """A measured sentence in a pool is left out, also with other signs or capitals."""
    kept = reserved_sentences(name)[0]
    changed = kept.upper().replace("，", "、").rstrip(".。") + "!"
    poisoned = pools()
    poisoned["en"]["fortune"] += [kept, changed]
    poisoned["zh"]["review"] += [kept, changed]
    assert is_reserved(kept) and is_reserved(changed)
    assert not any(is_reserved(row.text) for row in plan(poisoned))


def test_there_are_fifty_measured_sentences_a_language() -> None:
    """Scores rest on at least 50 different sentences a language."""
    assert len(set(reserved_sentences("english"))) >= 50
    assert len(set(reserved_sentences("mandarin"))) >= 50


def test_a_text_is_held_out_in_every_voice_or_in_none() -> None:
    """Held out is a property of the text; about one text in 97 is."""
    texts = [f"Sentence number {i}." for i in range(5000)]
    held = [Row("hibari", "en", "talk", text).held_out for text in texts]
    assert held == [Row("am_michael", "en", "fortune", text).held_out for text in texts]
    assert 25 < sum(held) < 80


def test_templates_give_many_different_sentences() -> None:
    """Each generator has thousands to say, the same ones for the same seed, without an unfilled slot."""
    for talk in (mandarin_talk.talk, mandarin_talk.mixed, english_talk.talk):
        said = list(islice(talk("seed"), 1500))
        assert len(set(said)) == 1500
        assert said == list(islice(talk("seed"), 1500))
        assert not any("{" in sentence for sentence in said)
    assert len(set(islice(mandarin_talk.replies("a"), 200))) == 200
    assert list(islice(english_talk.replies("a"), 50)) != list(islice(english_talk.replies("b"), 50))


def test_mandarin_sentences_are_plain() -> None:
    """Signs become commas, other scripts and too short or repeated text are left out."""
    found = list(
        mandarin_sentences(["“房间很大”，服务也好!哈哈哈，太好了。Wi-Fi 不行，真的。好。今天的早饭（中式）不错？"])
    )
    assert found == ["房间很大，服务也好！", "今天的早饭，中式，不错？"]


def test_english_sentences_are_plain() -> None:
    """Digits, abbreviations, lists of names and unwanted words are left out; quotation marks go."""
    text = (
        'We "all" know -- this works. It cost 5 dollars then. NASA said it is so. Anna Bob Carl Dan went there. Go now.'
    )
    assert list(english_sentences([text])) == ["We all know, this works."]


def test_brief_voices_are_mixtures_with_weights_that_add_up() -> None:
    """The first are Kokoro's own; later ones mix two or three of their language."""
    assert style_mixture("zf_xiaoxiao") == {"zf_xiaoxiao": 1.0}
    assert len(style_mixture(brief_voices("zh")[0])) == 1
    mixed = style_mixture(brief_voices("zh")[-1])
    assert 2 <= len(mixed) <= 3 and sum(mixed.values()) == pytest.approx(1.0)
    assert all(name.startswith("z") for name in mixed)
