"""Mandarin normalisation: the rules in their order, then the original's clean-up of the result. What each sign and
short form means stands in data/reading/zh.toml."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from cosyvoice.frontend.addresses import ADDRESS, spoken_address
from cosyvoice.frontend.chinese_numbers import by_digit, number, whole
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
_MEASURES = "个只次位名本张件台辆条支把颗块片套双份杯瓶种家间座栋层层楼所部场首句段篇封页天年周岁小斤公倍遍趟下口匹头"
_DASH = r"\s?[-–—~～]\s?"
_CODE_BEFORE = re.compile(
    r"(?:(?<![数起尺筹鞋])码|尾号|编号|卡号|账号|帐号|单号|订单号?|工号|学号|证号|号码|房间号?|房号|航班|车次|车牌号?|代码|口令|邮编|热线|电话|手机号?|分机|拨打"
    r"|致电|请拨|来电|火警|报警|急救|匪警|股票|型号|序列号|识别码|QQ群?|微信号?|校验码|动态码|PIN码?|ID)(?:是|为|为：|：|:|\s|号|码)*$"
)
_SCORE_BEFORE = re.compile(
    r"(?:比分|比例|比率|比|战成|战平|获胜|取胜|领先|落后|胜|负|尺寸|屏幕?|画面|长宽|配比|以)[为是：:\s]*$"
)
_TELEPHONE = re.compile(r"(?:火警|报警|急救|匪警|热线|电话|手机号?|拨打|致电|请拨|打|尾号|号码|验证码)")
_ADDRESS_DOT = re.compile(r"(?<=[0-9A-Za-z])\.(?=[0-9A-Za-z])")  # baidu.com
_DROPPED = str.maketrans("", "", "（）【】[]`\n\r")


def _date(match: re.Match[str]) -> str:
    year, month, day = match[1], int(match[3]), int(match[4])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match.group()
    return f"{by_digit(year)}年{whole(str(month))}月{whole(str(day))}日"


def _time(match: re.Match[str]) -> str:
    hour, minute, second = int(match[1]), match[2], match[3]
    if hour > 24 or int(minute) > 59:
        return match.group()
    words = f"{whole(str(hour))}点"
    if minute != "00":
        words += ("零" if minute[0] == "0" else "") + whole(minute) + "分"
    return words + (f"{'零' if second[0] == '0' else ''}{whole(second)}秒" if second else "")


def _ratio(match: re.Match[str]) -> str:
    return f"{number(match[1])}比{number(match[2])}"


def _money(match: re.Match[str]) -> str:
    sign, currency, low, high, scale, after = match.groups()
    words = f"{number(low)}到{number(high)}" if high else number(low)
    scale = _SCALES.get(scale, scale) or ""
    name = "" if after else _CURRENCIES[currency]
    return f"{'负' if sign else ''}{words}{scale}{name}{after or ''}"


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
    whole_numbers = over.isdigit() and under.isdigit()
    if whole_numbers and int(over) < int(under) and under[0] != "0":
        return f"{number(under)}分之{number(over)}"
    return f"{number(over)}杠{number(under)}"


def _range(match: re.Match[str]) -> str:
    return f"{number(match[1])}到{number(match[2])}"


def _phone(match: re.Match[str]) -> str:
    words = by_digit(match.group(), "幺")
    return "加" + words if match.group().startswith("+") else words


def _letters_number(match: re.Match[str]) -> str:
    digits = match[2]
    spelled = len(digits) > 3 or (len(digits) > 1 and digits[0] == "0")
    return match[1] + (by_digit(digits, "幺") if spelled else number(digits))


def _long(match: re.Match[str]) -> str:
    """A number of at least nine digits is more often a code than a quantity."""
    return by_digit(match.group(), "幺" if len(match.group()) == 11 else "一")


_RULES: tuple[Rule, ...] = (
    (re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)"), lambda m: "点".join(map(by_digit, m[0].split(".")))),
    (re.compile(r"(?<![\d./-])((?:1[5-9]|20|21)\d{2})([-/.])(\d{1,2})\2(\d{1,2})(?![\d.])[日号]?"), _date),
    (re.compile(r"(?<![\d/])(0?[1-9]|1[0-2])/(0[1-9])(?![\d/])|(?<=[日期于在])(0?[1-9]|1[0-2])/([12]\d|3[01])(?![\d/])"),
     lambda m: f"{whole(m[1] or m[3])}月{whole(m[2] or m[4])}日"),
    (re.compile(r"(?<![\d.])(?:6{3,}|23{2,})(?![\d.%％元块个人米年号次])"), lambda m: by_digit(m[0])),
    (re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?!\.?\d)"), lambda m: "点".join(map(whole, m[0].split(".")))),
    (re.compile(r"(?<=[:：]\d\d)\s?[-–—~～]\s?(?=\d{1,2}[:：]\d\d)"), lambda m: "到"),
    (re.compile(r"(?<!\d)((?:19|20)\d\d)" + _DASH + r"((?:19|20)\d\d)(?!\d)"),
     lambda m: f"{by_digit(m[1])}到{by_digit(m[2])}"),
    (re.compile(r"(?<!\d)(\d{4}|\d{2})(?=年(?!了|代|级|龄|前|后|以|内|间|来|多|的))"), lambda m: by_digit(m[1])),
    (re.compile(r"(?<!\d)(\d{4})(?=年)"), lambda m: by_digit(m[1])),
    (re.compile(r"(?<!\d)((?:19|20)\d0)(?=年代)"), lambda m: by_digit(m[1])),
    (re.compile(r"(?<!\d)(0?\d|1[0-2])月(0?\d|[12]\d|3[01])(?=[日号])"),
     lambda m: f"{whole(m[1])}月{whole(m[2])}"),
    (re.compile(r"\+\d[\d() -]{6,18}\d(?![\w-])", re.ASCII), _phone),
    (re.compile(r"(?<![\dA-Za-z.-])(?:0\d{2,3}|400|800|95\d)[- ]\d{3,4}(?:[- ]?\d{3,4})?(?![\d-])"), _phone),
    (re.compile(r"(?<!\d)1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)"), _phone),
    (re.compile(r"(?<![\dA-Za-z-])\d{1,6}(?:-\d{1,6}){2}(?![\d-])"),
     lambda m: "杠".join(map(by_digit, m[0].split("-")))),
    (re.compile(r"(?<!\d)(\d{1,3})" + _DASH + r"(\d{3,4})(?=室|房|号房)"),
     lambda m: f"{number(m[1])}杠{by_digit(m[2], '幺')}"),
    (re.compile(r"(?<!\d)\d{3,4}(?=室|号房)"), lambda m: by_digit(m[0], "幺")),
    (re.compile(r"(?<=\w_)\d+"), lambda m: by_digit(m[0])),
    (re.compile(rf"(?<=[万亿元块])\s?/\s?({one_of([*_PER, *_UNITS])})([²³]|\^?[23](?!\d))?(?![A-Za-z])"),
     lambda m: "每" + {"": "", "2": "平方", "3": "立方"}[_power(m[2])] + str(_PER.get(m[1]) or _UNITS[m[1]])),
    (re.compile(r"(?<=[℃°%日号月年点时])\s?[-–—~～]\s?(?=\d)"), lambda m: "到"),
    (re.compile(r"(?<!\d)(?<![A-Za-z]-)(-|−)?(?:(\d+(?:\.\d+)?)%?" + _DASH + rf")?({_N})\s?([%％‰])"),
     _percent),
    (re.compile(rf"(?<![A-Za-z\d])(-)?({_MONEY_SIGN})\s?({_N})(?:{_DASH}(?:{_MONEY_SIGN})?({_N}))?"
                rf"([kKwWMB](?![A-Za-z])|{_BIG})?(元|块|美元|美金|欧元|英镑|日元|港元)?"), _money),
    (re.compile(rf"({_N})\s?({one_of(n for n in _CURRENCIES if n.isalpha())}|[€£₽₹₩])(?![A-Za-z])"),
     lambda m: number(m[1]) + _CURRENCIES[m[2]]),
    (re.compile(r"(?<![\dA-Za-z)）])[-−](?=\d)(?![\d.]+\s?[=＝])"), lambda m: "负"),
    (re.compile(rf"(?<![\d/.])({_N})/({_N})(?=\s?(?:mmHg|kPa|毫米汞柱))"), lambda m: f"{number(m[1])}杠{number(m[2])}"),
    (re.compile(r"(?<=[一二三四五六七八九十百零])(?:mmHg)"), lambda m: "毫米汞柱"),
    (re.compile(rf"(?<=[(（])({_N})-({_N})(?=[)）]\s?[×÷*/+=])"), lambda m: f"{number(m[1])}减{number(m[2])}"),
    (re.compile(r"(?<![A-Za-z\d.])(\d+)([²³])(?![A-Za-z])"),
     lambda m: f"{number(m[1])}的{'平方' if m[2] == '²' else '立方'}"),
    (re.compile(r"([A-Za-z]|(?<![\d.])\d+)\s?\^\s?(-?\d+)", re.ASCII), _exponent),
    (re.compile(rf"(?<=次方)\s?({one_of(_UNITS)})(?:/({one_of([*_PER, *_UNITS])}))?(?![A-Za-z])"),
     lambda m: str(_UNITS[m[1]]) + (f"每{_PER.get(m[2]) or _UNITS[m[2]]}" if m[2] else "")),
    (re.compile(rf"({_N})\s?[xX×*]\s?(?={_N}|十)"), lambda m: f"{number(m[1])}乘"),
    (re.compile(rf"(?<![A-Za-z\d.])(?:({_N}){_DASH})?({_N})\s?({one_of(_UNITS)})([²³]|\^?[23](?!\d))?"
                rf"(?:\s?/\s?({one_of([*_PER, *_UNITS])})([²³]|\^?[23](?!\d))?)?(?![A-Za-z²³])"), _unit),
    (re.compile(r"([A-Za-z]|(?<![\d.])\d+)\s?\^\s?(\{?-?\w+\}?)", re.ASCII), _exponent),
    (re.compile(r"(第)(\d+)\s?[/]\s?(\d+)"), lambda m: f"{m[1]}{whole(m[2])}、{whole(m[3])}"),
    (re.compile(rf"(?<![\d/.])({_N})\s?[/⁄]\s?({_N})(?![\d/])"), _slash),
    (re.compile(r"(\w+)⁄(\w+)"), lambda m: f"{m[2]}分之{m[1]}"),
    (re.compile(rf"(?<![\d.A-Za-z])({_N})\s?[-−]\s?({_N})(?=\s?[=＝])"), lambda m: f"{number(m[1])}减{number(m[2])}"),
    (re.compile(rf"(?<![\d.A-Za-z-])({_N}){_DASH}({_N})(?![\d-])"), _range),
    (re.compile(r"(?<![\d:：])(\d{1,2})[:：](\d\d)(?:[:：](\d\d))?(?![\d:：])"), _time),
    (re.compile(rf"(?<![\d:：.])({_N})[:：]({_N})(?![\d:：])"), _ratio),
    (re.compile(rf"(?<![\dA-Za-z.])({_N})([kKwW])(?![A-Za-z])"), lambda m: number(m[1]) + _SCALES[m[2]]),
    (re.compile(r"([A-Za-z])-?(\d+)(?![\d.])"), _letters_number),
    (re.compile(r"(?<![\d.])\d{9,}(?![\d.])"), _long),
    (re.compile(rf"(?<![\d.第])2(?=[{_MEASURES}])(?!年级|月|日|号)"), lambda m: "两"),
    (re.compile(rf"({_N})\s?[-−]\s?(?={_N})"), lambda m: f"{number(m[1])}减"),
    (re.compile(rf"{_N}|(?<!\d)\.\d+"), lambda m: number(m[0])),
)  # fmt: skip

_LAST_RULES: tuple[Rule, ...] = (
    (re.compile(r"(?<=[元块升克米里度次个件片粒颗套台人页])/(?=[月年天次人日周小分秒个件斤公])"), lambda m: "每"),
    (re.compile(r"(?<=[\w)）])\s*<\s*(?=[\w(（])"), lambda m: "小于"),
    (re.compile(r"(?<=[\w)）])\s*>\s*(?=[\w(（])"), lambda m: "大于"),
    (re.compile(r"\s*(?<![<A-Za-z/])<(?![A-Za-z/<|])\s*"), lambda m: "小于"),
    (re.compile(r"\s*(?<![->A-Za-z/])>(?!>)\s*"), lambda m: "大于"),
    (re.compile(r"@(?=\w)"), lambda m: "艾特"),
    (re.compile(r"#(?=\w)"), lambda m: ""),
    (re.compile(r"(?<=\d)[~～](?=\d)"), lambda m: "到"),
    (re.compile(r"[~～]+(?=$|[。！!？?，,\s])"), lambda m: ""),
    (re.compile(r"[℠®™©•◦▪●■□◆★☆]|(?<=\w)_(?=\w)"), lambda m: " "),
    (re.compile(r"(?<=约)≈"), lambda m: "等于"),
    (re.compile(rf"\s?({one_of(_SIGNS)})\s?"), lambda m: str(_SIGNS[m[1]])),
)  # fmt: skip


def _with_context(text: str, before: str) -> str:
    """Codes and scores, which only the words before them tell from quantities and times."""

    def code(match: re.Match[str]) -> str:
        found = _CODE_BEFORE.search((before + text[: match.start()])[-24:])
        if found is None or (len(match.group()) < 3 and match.group()[0] != "0"):
            return match.group()
        return by_digit(match.group(), "幺" if _TELEPHONE.search(found.group()) else "一")

    def score(match: re.Match[str]) -> str:
        if _SCORE_BEFORE.search((before + text[: match.start()])[-16:]):
            return _ratio(match)
        return match.group()

    text = re.sub(rf"(?<![\d:：.])({_N})\s?[:：]\s?({_N})(?![\d:：])", score, text)
    return re.sub(r"(?<![\d.,/:：-])\d{2,}(?![\d%％/:：]|[.,~～–-]\d|[-]\d)", code, text)


def normalize_chinese(text: str, before: str = "") -> str:
    """The text with numbers, dates, measures, money and signs in words. No digit is left.

    before: the text before it, which tells a code from a quantity (验证码4821).
    """
    text = ADDRESS.sub(lambda m: spoken_address(m, table("zh", "address"), by_digit, ""), text)
    if any(map(str.isdigit, text)):
        text = "".join(map(_ascii_digit, text))
        text = _with_context(text, before)
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
    return text.translate(_DROPPED).replace("——", " ").strip()


def _between_ascii(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return all(c.isascii() and not c.isspace() for c in (before, after)) and before != "" and after != ""


def close_chinese(text: str) -> str:
    """A run of commas at the end of a text becomes a full stop, as in the original."""
    return re.sub(r"[，,、]+$", "。", text)
