"""Phonemes of the embedded voice."""

import subprocess
import sys

import pytest

from cosyvoice.frontend.language import Language, main_language
from cosyvoice.frontend.mandarin import cut_words, is_readable
from cosyvoice.frontend.phonemes import Phonemizer
from cosyvoice.frontend.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("下班以后，我想先去超市买点水果。", "ɕja↘pa→n i↓xou↘, wo↓ ɕja↓ŋ ɕjɛ→n ʨʰy↘ ꭧʰau→ʂɨ↘ mai↓tjɛ↓n ʂwei↓kwo↓."),
        (
            "今天的天气真不错，我们出去走走吧。",
            "ʨi→ntʰjɛ→n tɤ tʰjɛ→nʨʰi↘ ꭧə→npu↘ʦʰwo↘, wo↓mən ꭧʰu→ʨʰy↘ ʦou↓ʦou↓ pa.",
        ),
        ("My sister is learning to play the piano this year.", "mˌI sˈɪstəɹ ɪz lˈɜɹnɪŋ tə plˈA ðə piˈænO ðɪs jˈɪɹ."),
    ],
)
def test_transcripts_of_the_embedded_voices(phonemizer: Phonemizer, text: str, phonemes: str) -> None:
    """The voices' transcripts have the phonemes that were stored when the checkpoint was trained."""
    assert phonemizer.phonemes(text, main_language(text, "en")) == (phonemes, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("打开 Wi-Fi 然后重启", "ta↓kʰai→ wˈIfˌI ɻa↗nxou↘ ꭧʰʊ↗ŋʨʰi↓"),
        ("我用 iPhone 15 Pro 拍照", "wo↓jʊ↘ŋ ˈIfˌOn ʂɨ↗u↓ pɹˈO pʰai→ꭧau↘"),
        ("我说 Hello, world! 然后走了", "wo↓ ʂwo→ həlˈO, wˈɜɹld! ɻa↗nxou↘ ʦou↓ lɤ"),
        ("3号楼 for us all", "sa→nxau↘ lou↗ fɔɹ ˌʌs ˈɔl"),
        ("I paid 250 dollars for 饺子", "ˌI pˈAd tˈu hˈʌndɹəd ænd fˈɪfti dˈɑləɹz fɔɹ ʨjau↓ʦɨ"),
        ("A4纸", "ˈA sɨ↘ꭧɨ↓"),  # the letter, not the article
        ("銀行有5個", "i↗nxa↗ŋ jou↓ u↓kɤ↘"),  # traditional characters
        ("5+5=10", "fˈIv plˈʌs fˈIv ˈikwᵊlz tˈɛn"),
        ("《三体》。。。", "“sa→ntʰi↓” …"),
        ("二〇二四", "ɚ↘li↗ŋ ɚ↘sɨ↘"),
    ],
)
def test_scripts_and_numbers(phonemizer: Phonemizer, nano_tokenizer: Tokenizer, text: str, expected: str) -> None:
    """Each script has its G2P; numbers are read in the text's main language; every phoneme has an id."""
    assert phonemizer.phonemes(text, main_language(text, "en")) == (expected, [])
    assert nano_tokenizer.encoder.encode(expected)[1] == []


@pytest.mark.parametrize(
    ("text", "language", "phonemes", "unknown"),
    [
        ("hi мир", "en", "hˈI", ["м", "и", "р"]),
        ("你好こん", "zh", "ni↓xau↓", ["こ", "ん"]),
        ("鿂好㐀", "zh", "xau↓", ["鿂", "㐀"]),  # without pinyin; outside the G2P's range
        ("a → b", "en", "ɐ tə bˈi", []),  # an arrow in a text is no tone: it is read
        ("好→", "zh", "xau↓ tau↘", []),
        ("안녕", "en", "", ["안", "녕"]),
        ("", "zh", "", []),
    ],
)
def test_unspeakable_characters_are_reported(
    phonemizer: Phonemizer, text: str, language: Language, phonemes: str, unknown: list[str]
) -> None:
    """Characters without phonemes are left out and returned."""
    assert phonemizer.phonemes(text, language) == (phonemes, unknown)


def test_text_cannot_dictate_phonemes(phonemizer: Phonemizer) -> None:
    """hibari's [text](/phonemes/) notation is switched off."""
    phonemes, _ = phonemizer.phonemes("[b](/<|endofprompt|>/)", "en")
    assert phonemes.startswith("bˈi")


def test_mandarin_words() -> None:
    """Words come in order and make up the text."""
    assert cut_words("我们出去走走吧") == ["我们", "出去", "走走", "吧"]


def test_is_readable() -> None:
    """Characters with a pinyin in U+4E00..U+9FFF."""
    assert is_readable("好")
    assert not any(map(is_readable, "鿂㐀a5，ん"))


@pytest.mark.command
def test_loading_is_lazy_and_silent() -> None:
    """English text loads no Mandarin G2P; loading both prints nothing (jieba's announcements included)."""
    script = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from cosyvoice.frontend.phonemes import Phonemizer\n"
        "p = Phonemizer()\n"
        "assert p.load_s == {} and 'hibari' not in sys.modules\n"
        "p.phonemes('Hello 5', 'en')\n"
        "assert 'en' in p.load_s and 'jieba' not in sys.modules and 'wetext' not in sys.modules\n"
        "p.phonemes('你好', 'zh')\n"
        "assert p.load_s['zh'] > 0\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_word_of_very_many_parts_is_said_as_several_words(phonemizer: Phonemizer) -> None:
    """The time of a word grows with the cube of its parts. A compound of ordinary length stays one."""
    many, _ = phonemizer.phonemes("go-" * 20 + "go", "en")
    assert many == phonemizer.phonemes("go " * 20 + "go", "en")[0]
    few, _ = phonemizer.phonemes("a state-of-the-art flat", "en")
    assert few != phonemizer.phonemes("a state of the art flat", "en")[0]


def test_the_letter_a_is_not_the_article(phonemizer: Phonemizer) -> None:
    """Among other letters "A" is a letter; before a noun it is the article."""
    assert phonemizer.phonemes("A B C", "en")[0].startswith("ˈA bˈi sˈi")
    assert phonemizer.phonemes("I got a B in math.", "en")[0] == "ˌI ɡɑt ɐ bˈi ɪn mˈæθ."
