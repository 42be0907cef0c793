"""Mandarin normalisation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.frontend.chinese import clean_chinese, close_chinese
from cosyvoice.frontend.normalize import Normalizer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天是2024年5月1日，下午3:45", "今天是二零二四年五月一日，下午三点四十五分"),
        ("温度-5℃，湿度50%", "温度负五摄氏度，湿度百分之五十"),
        ("打13800138000", "打幺三八零零幺三八零零零"),
        ("我用 iPhone 15 Pro 拍照", "我用iPhone十五Pro拍照"),
        ("一会儿去哪儿，5点", "一会儿去哪儿，五点"),  # erhua stays
        # what grammars often read wrong
        ("1,234,567.89", "一百二十三万四千五百六十七点八九"),
        ("价格是¥1,250.50元", "价格是一千二百五十点五零元"),
        ("GPT-4和COVID-19", "GPT四和COVID十九"),
        ("第1-3章", "第一到三章"),
        ("版本1.2.3", "版本一点二点三"),
        ('他说"有5个"\\', '他说"有五个"\\'),
        ("٣", "三"),
    ],
)
def test_readings(normalizer: Normalizer, text: str, expected: str) -> None:
    """Numbers, dates, measures and money are in words."""
    assert normalizer.normalize(text, "zh") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("他 说 ok fine 。", "他说ok fine。"),
        ("结尾有空格 ", "结尾有空格"),  # the original raises IndexError here
        (" ", ""),
        ("10m² 5m³", "10m平方5m立方"),
        ("你好.再见", "你好。再见"),
        ("去 www.baidu.com 看", "去www点baidu点com看"),
        ("ok - fine", "ok，fine"),
        ("（一）【二】`三`\n四——五", "一二三四 五"),
    ],
)
def test_clean_up(text: str, expected: str) -> None:
    """The original's clean-up rules."""
    assert clean_chinese(text) == expected


def test_trailing_commas_become_a_full_stop() -> None:
    """As in the original, but only where a text ends."""
    assert close_chinese("你好，、,") == "你好。"
    assert close_chinese("你好，再见") == "你好，再见"


@given(
    st.text(
        alphabet=st.one_of(st.sampled_from("0123456789¥%.,-/ 年月元第个"), st.characters(codec="utf-8")), max_size=40
    )
)
def test_any_text_is_read(normalizer: Normalizer, text: str) -> None:
    """No text raises, and no decimal digit is left."""
    assert not any(map(str.isdecimal, normalizer.normalize(text, "zh")))


def test_the_converter_loads_when_needed() -> None:
    """Only traditional characters need wetext; the time that it takes to load is reported."""
    normalizer = Normalizer()
    assert normalizer.normalize("5个", "zh") == "五个"
    assert normalizer.load_s == 0.0
    assert normalizer.simplified("銀行") == "银行"
    assert normalizer.load_s > 0.0
