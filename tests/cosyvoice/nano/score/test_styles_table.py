"""What the table of styles measures, pairs and calls significant, and that it goes on where it stopped."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from cosyvoice.models import NANO
from cosyvoice.nano.corpus.manner import MANNERS
from cosyvoice.nano.export import offer_styles
from cosyvoice.nano.score import styles
from cosyvoice.nano.score.judging import Sentence, Wave
from cosyvoice.nano.score.speaking import SAMPLE_RATE
from cosyvoice.nano.score.styles import INSTRUCTIONS, MEANT, PLAIN, VOICES, StyleMeasures, difference, measured
from cosyvoice.serving_config import ServingConfig
from cosyvoice.voice.styles import style_of

pytest.importorskip("pyworld")


def buzz(
    rate: float = 1.0, gain: float = 1.0, pitch_st: float = 0.0, span: float = 1.0, silence_s: float = 0.2
) -> Wave:
    """A second of a voice at 200 Hz that rises and falls by two semitones, with silence around it."""
    at = np.arange(int(SAMPLE_RATE / rate)) / SAMPLE_RATE
    hz = 200 * 2 ** (pitch_st / 12 + span * np.sin(2 * np.pi * 3 * rate * at) / 6)
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
    sound = 0.03 * gain * sum(np.sin(n * phase) / n for n in range(1, 20))
    edge = np.zeros(int(silence_s * SAMPLE_RATE))
    return np.concatenate([edge, sound, edge]).astype(np.float32)


def made(text: str, voice: str, seed: int, instruction: str) -> Wave:
    """What a server would say whose styles do what they should."""
    rng = np.random.default_rng(seed)
    style = next(
        name for name, words in INSTRUCTIONS["zh" if voice == "中文女" else "en"].items() if words == instruction
    )
    manner = {
        "fast": {"rate": 1.3},
        "slow": {"rate": 0.8},
        "soft": {"gain": 0.5},
        "loud": {"gain": 1.5},
        "cheerful": {"pitch_st": 2.0},
        "calm": {"span": 0.6},
    }.get(style, {})
    return buzz(**manner) * np.float32(1 + 0.1 * rng.random())


def text_ids(sentence: Sentence) -> int:
    assert sentence.language == ("zh" if "\u4e00" <= sentence.text[0] <= "\u9fff" else "en")
    return len(sentence.text)


def test_each_instruction_means_its_style(tmp_path: Path) -> None:
    """In both languages, by the phrases that an export offers; the plain ones mean none."""
    (tmp_path / "serving.json").write_bytes((NANO / "serving.json").read_bytes())
    offer_styles(tmp_path)
    offered = ServingConfig.load(tmp_path).styles
    for instructions in INSTRUCTIONS.values():
        assert list(instructions) == [PLAIN, *MANNERS] == [PLAIN, *MEANT]
        for style, instruction in instructions.items():
            found = style_of(instruction, offered)
            assert (PLAIN if found is None else found.name) == style


def test_a_wave_is_measured_without_the_silence_around_it() -> None:
    """Rate, level, pitch and its spread are the voice's, however long it is silent."""
    for silence_s in (0.2, 1.0):
        found = measured(buzz(silence_s=silence_s), 12)
        assert found.ids_per_s == pytest.approx(12, rel=0.05)
        assert found.pitch_st == pytest.approx(12 * np.log2(200), abs=0.2)
        assert found.spread_st == pytest.approx(4 * np.sin(0.4 * np.pi), abs=0.4)
    softer = measured(buzz(gain=0.5), 12)
    assert softer.energy_db - measured(buzz(), 12).energy_db == pytest.approx(-6.02, abs=0.05)


@pytest.mark.parametrize("wave", [np.zeros(SAMPLE_RATE, np.float32), buzz()[: SAMPLE_RATE // 10]])
def test_sound_without_a_voice_is_refused(wave: Wave) -> None:
    """There is no pitch to compare."""
    with pytest.raises(ValueError, match="expected speech, found"):
        measured(wave, 12)


def test_one_sentence_is_refused(tmp_path: Path) -> None:
    """It has no spread to tell a difference by; nothing is spoken."""
    with pytest.raises(ValueError, match="expected two or more"):
        styles.run(made, text_ids, tmp_path / "none", count=1)
    assert not (tmp_path / "none").exists()


def test_a_difference_is_significant_when_chance_would_not_make_it() -> None:
    """Pairs that all differ a little do; the same spread around nothing does not; its error is that of the pairs."""
    plain = np.random.default_rng(1).normal(0, 5, 20)
    noise = np.random.default_rng(2).normal(0, 0.5, 20)
    moved = difference((plain + noise + 1).tolist(), plain.tolist())
    assert moved.significant and moved.p < 0.001
    assert moved.mean == pytest.approx(1 + noise.mean()) and moved.se == pytest.approx(noise.std(ddof=1) / 20**0.5)
    still = difference((plain + noise - noise.mean()).tolist(), plain.tolist())
    assert not still.significant and still.p > 0.9


def test_chance_is_called_significant_as_seldom_as_it_says() -> None:
    """Of 400 sets of pairs without any difference, about one in twenty."""
    rng = np.random.default_rng(3)
    hits = sum(difference(rng.normal(0, 1, 20).tolist(), [0.0] * 20).significant for _ in range(400))
    assert 8 <= hits <= 34


def test_a_style_that_moves_the_wrong_way_fails() -> None:
    """A loud style that is softer is no success, however significant."""
    plain = [StyleMeasures(10.0, -20.0 - n / 10, 90.0, 5.0) for n in range(20)]
    softer = [replace(one, energy_db=one.energy_db - 3) for one in plain]
    assert styles.row("v", "soft", softer, plain).moves
    wrong = styles.row("v", "loud", softer, plain)
    assert not wrong.moves and wrong.differences["energy_db"].significant
    assert "FAILS" in wrong.line() and "energy_db -3.00 ± 0.00*" in wrong.line()


def test_the_table_pairs_each_style_with_plain_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Six rows a voice, each moved; a run that was cut off speaks only what is missing."""
    spoken: list[tuple[str, str, int, str]] = []

    def say(text: str, voice: str, seed: int, instruction: str) -> Wave:
        if len(spoken) == 30:
            raise RuntimeError("the server died")
        spoken.append((text, voice, seed, instruction))
        return made(text, voice, seed, instruction)

    with pytest.raises(RuntimeError, match="the server died"):
        styles.run(say, text_ids, tmp_path, count=6)
    assert len(list(tmp_path.glob("*.flac"))) == 30 and not list(tmp_path.glob("*.part"))
    first = list(spoken)
    spoken.clear()

    def rest(text: str, voice: str, seed: int, instruction: str) -> Wave:
        spoken.append((text, voice, seed, instruction))
        return made(text, voice, seed, instruction)

    rows = styles.run(rest, text_ids, tmp_path, count=6)
    assert len(spoken) == 2 * 7 * 6 - 30 and not set(spoken) & set(first)
    assert [(one.voice, one.style) for one in rows] == [(voice.name, style) for voice in VOICES for style in MEANT]
    assert all(one.moves and one.sentences == 6 for one in rows), [one.line() for one in rows]
    fast = next(one for one in rows if one.style == "fast").differences
    assert fast["ids_per_s"].mean > 0 and abs(fast["energy_db"].mean) < 0.3
    assert asdict(rows[0])["differences"]["ids_per_s"].keys() == {"mean", "se", "p"}
