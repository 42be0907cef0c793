"""Mandarin normalisation: the rules in their order, then the original's clean-up of the result. What each sign and
short form means stands in data/reading/zh.toml."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from cosyvoice.frontend.addresses import ADDRESS, spoken_address
from cosyvoice.frontend.chinese_codes import CODE_RULES, codes_and_scores, ratio
from cosyvoice.frontend.chinese_dates import DASH, DATE_RULES, TIME_RULES
from cosyvoice.frontend.chinese_numbers import by_digit, number, whole
from cosyvoice.frontend.language import HAN
from cosyvoice.frontend.tables import one_of, table

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_N = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_CURRENCIES = table("zh", "currencies")
_SCALES = table("zh", "scales")
_UNITS = table("zh", "units")
_PER = table("zh", "per")
_SIGNS = table("zh", "signs")
_MONEY_SIGN = one_of(_CURRENCIES)
_BIG = "[十百千万亿]{1,2}"
_MEASURES = (
    "人晚项步圈轮米元吨批滴桶盒箱包袋罐碗勺根朵棵株幅扇节页群步站声拳脚刀枪发束串堆行年个只次位名本张件台辆条支把颗"
    "块片套双份杯瓶种家间所部场首句篇封页天年周岁小斤公倍遍趟下口匹头"
)
_NUMBERED = "组排列座栋段"  # 分成两组, but 去二组
_ABBREVIATIONS = {"e.g": "例如", "i.e": "即", "etc": "等等", "vs": "对", "approx": "大约"}
_ABBREVIATION = re.compile(rf"(?<![\w.])(?:{one_of(_ABBREVIATIONS)})\.(?!\w)\s?", re.IGNORECASE)
_DOTTED = re.compile(r"(?<![A-Za-z.])(?:[A-Za-z]{1,2}\.){2,5}(?![A-Za-z])")  # Ph.D.
_CHAT_WORDS = table("zh", "chat")
_CHAT = re.compile(rf"(?<![A-Za-z0-9.]){one_of(_CHAT_WORDS)}(?![A-Za-z0-9.])", re.IGNORECASE)
_ADDRESS_DOT = re.compile(r"(?<=[0-9A-Za-z])\.(?=[0-9A-Za-z])(?<!\b[A-Za-z]\.)")  # baidu.com
# A space between two words of Han is a pause, and one after a price.
_PAUSE = re.compile(
    rf"(?<=[{HAN}]{{2}})\s(?=[{HAN}]{{2}})|(?<=\d{{6}})\s(?=[{HAN}])|(?<=[¥￥]\d)\s(?=[{HAN}])(?!起)|(?<=[¥￥]\d\d)\s(?=[{HAN}])(?!起)"
    rf"|(?<=\d\.\d)\s(?=已)|(?<=\d\.\d\d)\s(?=已)"
)
_SPACED = re.compile(rf"(?<=\d)\s(?=[{HAN}])|(?<=[{HAN}])\s(?=\d)")  # 2021 年 3 月
_BRACKET_BETWEEN = re.compile(r"(?<=\d{3})[（(](?=\d+[:：点月年日])")  # of a telephone number and its hours
_NUMERALS = "零一二两三四五六七八九十百千万亿"
_BRACKET_OF_NUMBERS = re.compile(f"(?<=[{_NUMERALS}年])[（）](?=[{_NUMERALS}])")  # （1756-1791）5岁
_DROPPED = str.maketrans("", "", "（）【】[]`\n\r")


def _money(match: re.Match[str]) -> str:
    sign, currency, low, high, scale, after = match.groups()
    low = low.removesuffix(".00")
    words = f"{number(low)}到{number(high)}" if high else number(low)
    scale = _SCALES.get(scale, scale) or ""
    name = "" if after else _CURRENCIES[currency]
    return f"{'负' if sign else ''}{words}{scale}{name}{after or ''}"


def _minus(match: re.Match[str]) -> str:
    """3x-7=11, y=4x-5; not the name of a model."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    is_formula = re.search(r"[=＝][^，。]{0,8}$", before) or re.match(r"\d+[a-z]?[^，。A-Za-z]{0,8}[=＝<>≥≤]", after)
    return f"{match[1]}减" if is_formula else match[0]


def _keys(match: re.Match[str]) -> str:
    """*#06#: keys of a telephone."""
    return "".join({"*": "星号", "#": "井号"}.get(key) or by_digit(key, "幺") for key in match[0])


def _percent(match: re.Match[str]) -> str:
    minus, low, high, sign = match.groups()
    of = "千分之" if sign == "‰" else "百分之"
    return ("负" if minus else "") + of + (f"{number(low)}到" if low else "") + number(high)


def _unit(match: re.Match[str]) -> str:
    low, high, unit, power, under, under_power = match.groups()
    name = {"": "", "2": "平方", "3": "立方"}[_power(power)] + _UNITS[unit]
    if under:
        below = _PER.get(under) or _UNITS[under]
        name += "每" + {"": "", "2": "平方", "3": "立方"}[_power(under_power)] + below
    two = "两" if high == "2" and not low and unit in ("h", "t", "g", "kg", "km", "m", "ml", "mL", "L") else None
    return f"{number(low) + '到' if low else ''}{two or number(high)}{name}"


def _power(text: str | None) -> str:
    return "" if not text else {"²": "2", "³": "3"}.get(text[-1], text[-1])


def _exponent(match: re.Match[str]) -> str:
    base = number(match[1]) if match[1][0].isdigit() else match[1]
    power = match[2].strip("{}")
    if not match[1][0].isdigit() and power in ("2", "3"):
        return f"{base}的{'平方' if power == '2' else '立方'}"
    return f"{base}的{number(power) if power.lstrip('-').isdigit() else power}次方"


def _slash(match: re.Match[str]) -> str:
    over, under = match[1], match[2]
    if " / " in match[0] and float(over.replace(",", "")) >= float(under.replace(",", "")):
        return f"{number(over)}除以{number(under)}"
    whole_numbers = over.isdigit() and under.isdigit()
    if whole_numbers and int(over) < int(under) and under[0] != "0":
        return f"{number(under)}分之{number(over)}"
    return f"{number(over)}杠{number(under)}"


def _range(match: re.Match[str]) -> str:
    return f"{match[1] if match[1] == '两' else number(match[1])}到{number(match[2])}"


def _letters_number(match: re.Match[str]) -> str:
    digits = match[2]
    between = len(digits) > 2 and match.string[match.end() : match.end() + 1].isascii()  # N501Y
    between = between and match.string[match.end() : match.end() + 1].isalpha()
    spelled = between or len(digits) > 3 or (len(digits) > 1 and digits[0] == "0")
    return match[1] + (by_digit(digits, "幺") if spelled else number(digits))


_SIZES = frozenset(str(2**power) for power in range(4, 11))


def _scaled(digits: str, scale: str) -> str:
    """3k, 15k, 2w."""
    if digits == "2":
        return f"两{_SCALES[scale]}"
    if scale in "kK" and digits.isdigit() and len(digits) > 1:
        return whole(digits + "000")
    return number(digits) + str(_SCALES[scale])


def _long(match: re.Match[str]) -> str:
    """A number of at least nine digits is more often a code than a quantity."""
    return by_digit(match.group(), "幺" if len(match.group()) == 11 else "一")


def _part_of_unit(match: re.Match[str]) -> str:
    """1/200s"""
    return f"{number(match[2])}分之{number(match[1])}{_UNITS.get(match[3], match[3])}"


_RULES: tuple[Rule, ...] = (
    (re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)"), lambda m: "点".join(map(by_digit, m[0].split(".")))),
    *DATE_RULES,
    (re.compile(r"(?<![\w*#])[*#]{1,2}\d{1,16}(?:[*#]\d{0,16}){0,4}#(?!\w)"), _keys),
    (re.compile(r"(?<!\d)(\d{1,2})['′’](\d\d)[\"″”]?(?=/|$|[，。,；）)])"),
     lambda m: f"{number(m[1])}分{number(m[2])}秒"),
    (re.compile(r"(?<=\d)\.00(?=元|块|美元|欧元)"), lambda m: ""),
    (re.compile(rf"色温\D{{0,4}}(?:\d{{4}}K?{DASH})?\d{{4}}K"),
     lambda m: re.sub(r"\d+", lambda n: whole(n[0]), re.sub(DASH, "到", m[0]))),
    (re.compile(r"(?<![\d.])[1-9][1-9](?=折)"), lambda m: by_digit(m[0])),
    (re.compile(r"(?:(?<=(?<![A-Za-z])[a-z])|(?<=\d)) % (?=\d)"), lambda m: "模"),  # i % 3
    # Goodbye, and I love you.
    (re.compile(r"(?<![\d.])(?:88|886|520|1314|5201314)(?=\s?(?:[~～]|[!！啦哦咯]|快乐))|^(?:886|5201314)(?=\W*$)"),
     lambda m: by_digit(m[0])),
    (re.compile(r"(?<![\d.])(?:6{3,}|23{2,})(?![\d.%％元块个人米年号次])"), lambda m: by_digit(m[0])),
    # MU5101 08:00: two numbers with a pause between.
    (re.compile(r"(?<=\d)\s(?=\d{1,2}[:：]\d\d)"), lambda m: "，"),
    (re.compile(r"满(\d+)\s?[-－−]\s?(\d+)(?!\s?[元块])"), lambda m: f"满{number(m[1])}减{number(m[2])}"),
    (re.compile(r"(?:6\.18|11\.11|12\.12)(?=大促|购物|活动|年中|狂欢|预售|来)"),
     lambda m: by_digit(m[0].replace(".", ""))),
    (re.compile(r"(?<=[图表式])\s?(\d{1,2})[-–—](\d{1,2})(?!\s?[\d个张])"),
     lambda m: f"{number(m[1])}杠{number(m[2])}"),
    (re.compile(rf"(?<![\d/.])(\d{{1,3}})/(\d{{1,5}})\s?(s|秒|{one_of(n for n in _UNITS if len(n) > 1)})(?![A-Za-z])"
                r"(?<!mmHg)(?<!kPa)"), _part_of_unit),
    (re.compile(r"(?<![A-Za-z])[fF]/(?=\d)"), lambda m: m[0][0]),
    (re.compile(rf"(?<=[次滴转拍步])\s?/\s?({one_of(_PER)})(?![A-Za-z])"), lambda m: f"每{_PER[m[1]]}"),
    (re.compile(r"(?<=《)\d{4}(?=》)"), lambda m: by_digit(m[0])),
    (re.compile(r"(?<=\d)\s?[~～]\s?(?=[A-Za-z](?![A-Za-z]))"), lambda m: "到"),
    (re.compile(r"(?<![A-Za-z\d])([a-z])\s?[-−]\s?(?=\d(?![\d-]))"), lambda m: f"{m[1]}减"),
    (re.compile(r"(?<![A-Za-z\d])(\d{0,3}[A-Za-z][²³]?)\s?[-−]\s?(?=\d{1,4}(?![\d-]))"), _minus),
    # 1米83, 1块25.
    (re.compile(r"(?<=\d)([米块秒])(\d{2})(?![\d年月日个厘分.])"), lambda m: m[1] + by_digit(m[2])),
    (re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?!\.?\d)"), lambda m: "点".join(map(whole, m[0].split(".")))),
    *CODE_RULES,
    (re.compile(r"(?<![\dA-Za-z-])\d{1,6}(?:-\d{1,6}){2,5}(?![\d-])"),
     lambda m: "杠".join(map(by_digit, m[0].split("-")))),
    (re.compile(r"(?<!\d)(\d{1,3})" + DASH + r"(\d{3,4})(?=室|房|号房)"),
     lambda m: f"{number(m[1])}杠{by_digit(m[2], '幺')}"),
    (re.compile(r"(?<!\d)\d{3,4}(?=(?:会议|办公|实验|休息|教|诊|机|寝)?室|号房|包厢|包间|病房|宿舍"
                r"|房(?![间租子价产东贷型屋]))"), lambda m: by_digit(m[0], "幺")),
    (re.compile(r"(?<=\w_)\d+"), lambda m: by_digit(m[0])),
    (re.compile(rf"(?<=[万亿元块])\s?/\s?({one_of([*_PER, *_UNITS])})([²³]|\^?[23](?!\d))?(?![A-Za-z])"),
     lambda m: "每" + {"": "", "2": "平方", "3": "立方"}[_power(m[2])] + str(_PER.get(m[1]) or _UNITS[m[1]])),
    (re.compile(r"(?<=[℃°%日号月年点时])\s?[-–—~～]\s?(?=\d)"), lambda m: "到"),
    (re.compile(r"(?<!\d)(?<![A-Za-z]-)(-|−)?(?:(\d+(?:\.\d+)?)%?" + DASH + rf")?({_N})\s?([%％‰])"),
     _percent),
    (re.compile(rf"(?<![A-Za-z\d])(-)?({_MONEY_SIGN})\s?({_N})(?:{DASH}(?:{_MONEY_SIGN})?({_N}))?"
                rf"([kKwWMB](?![A-Za-z])|{_BIG})?(元|块|美元|美金|欧元|英镑|日元|港元)?"), _money),
    (re.compile(rf"(?<![\d.,])({_N})\s?({one_of(n for n in _CURRENCIES if n.isalpha())}|[€£₽₹₩])(?![A-Za-z])"),
     lambda m: number(m[1]) + _CURRENCIES[m[2]]),
    (re.compile(r"(?<![\dA-Za-z)）])[-−](?=\d)(?![\d.]+\s?[=＝])"), lambda m: "负"),
    (re.compile(rf"(?<![\d/.])({_N})/({_N})(?=\s?(?:mmHg|kPa|毫米汞柱))"), lambda m: f"{number(m[1])}杠{number(m[2])}"),
    (re.compile(r"(?<=[一二三四五六七八九十百零])(?:mmHg)"), lambda m: "毫米汞柱"),
    (re.compile(rf"(?<=[(（])({_N})-({_N})(?=[)）]\s?[×÷*/+=])"), lambda m: f"{number(m[1])}减{number(m[2])}"),
    (re.compile(r"(?<![A-Za-z\d.])(\d+)([²³])(?![A-Za-z])"),
     lambda m: f"{number(m[1])}的{'平方' if m[2] == '²' else '立方'}"),
    (re.compile(r"([A-Za-z]|(?<![\d.])\d+)\s?\^\s?(-?\d+)", re.ASCII), _exponent),
    (re.compile(rf"(?<=次方)\s?/\s?({one_of([*_PER, *_UNITS])})(?![A-Za-z])"),
     lambda m: f"每{_PER.get(m[1]) or _UNITS[m[1]]}"),
    (re.compile(rf"(?<=次方)\s?({one_of(_UNITS)})(?:/({one_of([*_PER, *_UNITS])}))?(?![A-Za-z])"),
     lambda m: str(_UNITS[m[1]]) + (f"每{_PER.get(m[2]) or _UNITS[m[2]]}" if m[2] else "")),
    (re.compile(rf"(?<![\d.,])({_N})\s?[xX×*]\s?(?={_N}|十)"), lambda m: f"{number(m[1])}乘"),
    (re.compile(rf"(?<![A-Za-z\d.])(?:({_N}){DASH})?({_N})\s?({one_of(_UNITS)})([²³]|\^?[23](?!\d))?"
                rf"(?:\s?/\s?({one_of([*_PER, *_UNITS])})([²³]|\^?[23](?!\d))?)?(?![A-Za-z²³])"), _unit),
    (re.compile(r"([A-Za-z]|(?<![\d.])\d+)\s?\^\s?(\{?-?\w+\}?)", re.ASCII), _exponent),
    (re.compile(r"第\s?(\d+)\s?/\s?(\d+)\s?([页步题关章节集])"),
     lambda m: f"第{whole(m[1])}{m[3]}，共{whole(m[2])}{m[3]}"),
    (re.compile(r"(第)(\d+)\s?[/]\s?(\d+)"), lambda m: f"{m[1]}{whole(m[2])}、{whole(m[3])}"),
    (re.compile(rf"(?<![\d/.])({_N}) // ({_N})(?![\d/])"), lambda m: f"{number(m[1])}整除以{number(m[2])}"),
    (re.compile(rf"(?<![\d/.])({_N})\s?[/⁄]\s?({_N})(?![\d/])"), _slash),
    (re.compile(r"(\w+)⁄(\w+)"), lambda m: f"{m[2]}分之{m[1]}"),
    (re.compile(rf"(?<![\d.A-Za-z])({_N})\s?[-−]\s?({_N})(?=\s?[=＝])"), lambda m: f"{number(m[1])}减{number(m[2])}"),
    # 7、8块, 2、3步
    (re.compile(rf"(?<![\d.、第])([1-8])、([2-9])(?=[{_MEASURES}])"),
     lambda m: m[0] if int(m[2]) != int(m[1]) + 1 else ("两" if m[1] == "2" else whole(m[1])) + whole(m[2])),
    (re.compile(r"(?<=\d)\.(?=[xX](?![A-Za-z]))"), lambda m: "点"),
    (re.compile(rf"(?<![\d.第A-Za-z-])2(?={DASH}\d+[{_MEASURES}])"), lambda m: "两"),
    (re.compile(rf"(?<![\d.A-Za-z-])({_N}|(?<![一二三四五六七八九十百千万零])两){DASH}({_N})(?![\d-])"), _range),
    *TIME_RULES,
    (re.compile(rf"(?<![\d:：.])({_N})[:：]({_N})(?![\d:：])"), ratio),
    (re.compile(r"(?<![\dA-Za-z.])(\d{1,2})[Kk](?=金|白金|玫瑰)"), lambda m: f"{whole(m[1])}K"),
    (re.compile(r"(?<=[(（])(\d+)\s?[-−]\s?(?=[A-Za-z][)）])"), lambda m: f"{number(m[1])}减"),
    (re.compile(r"(?<![\dA-Za-z.])([248])K(?![A-Za-z]|\s?[-–—~～到]|\s?[元块人粉步])(?:/(?=[\d一二三四五六七八九十]))?"),
     lambda m: f"{whole(m[1])}K"),  # of a picture
    (re.compile(rf"(?<![\dA-Za-z.])({_N})([kKwW])?{DASH}({_N})([kKwW])(?![A-Za-z])"),
     lambda m: f"{_scaled(m[1], m[2]) if m[2] else number(m[1])}到{_scaled(m[3], m[4])}"),
    # With a capital K a power of two is a size: 128K.
    (re.compile(rf"(?<![\dA-Za-z.])({one_of(_SIZES)})K(?![A-Za-z])"), lambda m: f"{whole(m[1])}K"),
    (re.compile(rf"(?<![\dA-Za-z.])({_N})([kKwW])(?![A-Za-z])"), lambda m: _scaled(m[1], m[2])),
    (re.compile(r"([A-Za-z])-?(\d+)(?![\d.])"), _letters_number),
    (re.compile(r"(?<![\d.])\d{9,}(?![\d.])"), _long),
    (re.compile(rf"(?<![\d.第])2(?=[{_MEASURES}]|分钟|秒钟|秒[，。！]|[万亿千]|层楼)(?!年级|月|日|号)"),
     lambda m: "两"),
    (re.compile(rf"(?<=[成共有了这那各每])2(?=[{_NUMBERED}])|(?<=室)2(?=厅)|(?<=厅)2(?=卫)|(?<!\d)2(?=室\d)"),
     lambda m: "两"),
    (re.compile(rf"({_N})\s?[-−]\s?(?={_N})"), lambda m: f"{number(m[1])}减"),
    (re.compile(rf"{_N}|(?<!\d)\.\d+"), lambda m: number(m[0])),
)  # fmt: skip

_LAST_RULES: tuple[Rule, ...] = (
    (re.compile(r"(?<![A-Za-z])([A-Za-z])\s?[-−]\s?(?=[A-Za-z](?![A-Za-z])[^，。]{0,12}[=<>≥≤＝])"),
     lambda m: f"{m[1]}减"),
    (re.compile(r"∣([^∣]{1,6})∣"), lambda m: f"{m[1]}的绝对值"),
    (re.compile(r"(?<=[元块升克米里度次个件片粒颗套台人页秒分钟时])/(?=[月年天次人日周小分秒个件斤公晚夜间位份张平吨桶瓶盒双支台套课节期季只"
                r"辆条])"), lambda m: "每"),
    (re.compile(r"(?<=[一二三四五六七八九十百千万亿零])\s?/\s?(?=[(（])|(?<=[)）])\s?/\s?(?=[一二三四五六七八九十])"),
     lambda m: "除以"),
    (re.compile(rf"(?<=[元块])\s?/\s?(?=[{_NUMERALS}零点]+[元块])"), lambda m: "、"),
    (re.compile(r"(?<=[升克焦元兆])\s?/\s?(?=[一二三四五六七八九十])"), lambda m: "每"),
    (re.compile(r"(?<=[日号月年点分时秒])\s?[-–—~～]\s?(?=[一二三四五六七八九十零两])"), lambda m: "到"),
    (re.compile(r"(?<=[A-Za-z])\s?/\s?(?=[A-Za-z])"), lambda m: " "),
    (re.compile(r"(?<=[\w)）”\"])\s?/\s?(?=[\w(（“\"])"), lambda m: "、"),
    (re.compile(r"(?<=[\w)）])\s*<\s*(?=[\w(（])"), lambda m: "小于"),
    (re.compile(r"(?<=[\w)）])\s*>\s*(?=[\w(（])"), lambda m: "大于"),
    (re.compile(r"\s*(?<![<A-Za-z/])<(?![A-Za-z/<|])\s*"), lambda m: "小于"),
    (re.compile(r"\s*(?<![->A-Za-z/])>(?!>)\s*"), lambda m: "大于"),
    (re.compile(r"[(（]\+[)）]"), lambda m: "阳性"),
    (re.compile(r"[(（][-−][)）]"), lambda m: "阴性"),
    (re.compile(r"\\(?=[A-Za-z])"), lambda m: "反斜杠"),
    (re.compile(r"[{}]"), lambda m: " "),
    (re.compile(r"\^"), lambda m: "尖号"),
    (re.compile(r"@(?=\w)"), lambda m: "艾特"),
    (re.compile(r"#(?=号?键)"), lambda m: "井"),
    (re.compile(r"#(?=\w)"), lambda m: ""),
    (re.compile(rf"(?<=[{HAN}])[~～]+(?=[{HAN}])"), lambda m: "，"),
    (re.compile(r"(?<=\d)[~～](?=\d)"), lambda m: "到"),
    (re.compile(r"[~～]+(?=$|[。！!？?，,\s])"), lambda m: ""),
    (re.compile(r"[℠®™©•◦▪●■□◆★☆⭐]|(?<=\w)_(?=\w)"), lambda m: " "),
    (re.compile(r"(?<=约)≈"), lambda m: "等于"),
    (re.compile(rf"\s?({one_of(_SIGNS)})\s?"), lambda m: str(_SIGNS[m[1]])),
)  # fmt: skip


def normalize_chinese(text: str, before: str = "") -> str:
    """The text with numbers, dates, measures, money and signs in words. No digit is left.

    before: the text before it, which tells a code from a quantity (验证码4821).
    """
    text = ADDRESS.sub(lambda m: spoken_address(m, table("zh", "address"), by_digit, ""), text)
    text = _ABBREVIATION.sub(lambda m: str(_ABBREVIATIONS[m[0].lower().strip(". ")]), text)
    text = _DOTTED.sub(lambda m: m[0].replace(".", ""), text)
    text = _SPACED.sub("", _PAUSE.sub("，", text))
    text = _CHAT.sub(lambda m: str(_CHAT_WORDS[m[0].lower()]), text)
    if any(map(str.isdigit, text)):
        text = _BRACKET_BETWEEN.sub("，", "".join(map(_ascii_digit, text)))
        text = codes_and_scores(text, before)
        for pattern, spoken in _RULES:
            text = pattern.sub(spoken, text)
    for pattern, spoken in _LAST_RULES:
        text = pattern.sub(spoken, text)
    return clean_chinese("".join(map(_numeral, text)))


def _ascii_digit(character: str) -> str:
    return str(unicodedata.digit(character)) if character.isdecimal() and not character.isascii() else character


def _numeral(character: str) -> str:
    if not character.isdigit() or character in "²³":
        return character
    return by_digit(character) or "零一二三四五六七八九"[unicodedata.digit(character)]


def clean_chinese(text: str) -> str:
    """The original's clean-up of normalised Mandarin, without its closing full stop (`close_chinese`).

    Spaces are removed unless both neighbours are ASCII. ² and ³ are read. A dot ends the sentence, except inside an
    address, where it is read as "点" (the original ends the sentence there too). Brackets are removed.
    """
    text = "".join(c for i, c in enumerate(text) if c != " " or _between_ascii(text, i))
    text = text.replace("²", "平方").replace("³", "立方")
    text = _ADDRESS_DOT.sub("点", text).replace(".", "。").replace(" - ", "，")
    text = _BRACKET_OF_NUMBERS.sub("，", text)
    return text.translate(_DROPPED).replace("——", " ").strip()


def _between_ascii(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return all(c.isascii() and not c.isspace() for c in (before, after)) and before != "" and after != ""


def close_chinese(text: str) -> str:
    """A run of commas at the end of a text becomes a full stop, as in the original."""
    return re.sub(r"[，,、]+$", "。", text)
