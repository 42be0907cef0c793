"""Mandarin dates, years and times: patterns and how they are spoken."""

from __future__ import annotations

import re
from collections.abc import Callable

from cosyvoice.frontend.chinese_numbers import by_digit, whole

DASH = r"\s?[-–—~～－]\s?"
_MONTH, _DAY = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
# A year of two digits and a length of this many years look the same: what is beside them tells.
_YEAR_AFTER = re.compile(rf"{_MONTH}月|初|底|末|[春夏秋冬](?!天)|[上下]半年|第[一二三四1-4]季|款|版|财年")
_LENGTH_AFTER = re.compile(
    "[了代级龄前后以内间来多的老期河如磨寒起未余里时才]|经验|工龄|质保|保修|贷款|历史|时间|计划|[，,。.！!？?；;、）)]|$"
)
_YEAR_BEFORE = re.compile(r"(?:^|[在于从到自至截去自：:，,。（(、\s])$")
_YEAR_ALONE = re.compile("的?(?=[，。,.！？!?；]|$)")  # 我是93年的
_OF_LENGTHS = re.compile("缩短|延长|期限|年限|工龄|寿命|年零[0-9]")
_PREPOSITION = re.compile("[于自]$")


def _date(match: re.Match[str]) -> str:
    year, month, day = match[1], int(match[3]), int(match[4])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match.group()
    return f"{by_digit(year)}年{whole(str(month))}月{whole(str(day))}日"


def _month_day(match: re.Match[str]) -> str:
    month, day = (part for part in match.groups()[-2:])
    return f"{match[1] if len(match.groups()) > 2 else ''}{whole(month)}月{whole(day)}日"


def _span_of_days(match: re.Match[str]) -> str:
    """12/24-12/26, but not 1/3-1/2."""
    first, second, third, fourth = map(int, match.groups())
    if "/" in match[0] and max(second, fourth) < 6 and first < second and third < fourth:
        return match.group()
    days = [f"{whole(match[at])}月{whole(match[at + 1])}日" for at in (1, 3)]
    return "到".join(days)


def _short_year(match: re.Match[str]) -> str:
    before, after = match.string[max(0, match.start() - 2) : match.start()], match.string[match.end() + 1 :]
    is_length = _LENGTH_AFTER.match(after) or _OF_LENGTHS.search(match.string)
    if (
        match[0][0] in "0'’‘"
        or _YEAR_AFTER.match(after)
        or (match[0] >= "60" and after[:1] == "的" and _YEAR_ALONE.match(after))
        or (not is_length and (match[0] >= "60" or (match[0][1:] != "0" and _YEAR_BEFORE.search(before))))
        or (not after[:1].isalpha() and _PREPOSITION.search(before))
    ):
        return by_digit(match[0])
    return match[0]


def _long_year(match: re.Match[str]) -> str:
    is_length = match[0] == "1000" or match[0] >= "2200"
    return whole(match[0]) if is_length else by_digit(match[0])


def _time(match: re.Match[str]) -> str:
    hour, minute, second = int(match[1]), match[2], match[3]
    if hour > 24 or int(minute) > 59:
        return match.group()
    words = "两点" if hour == 2 else f"{whole(str(hour))}点"
    if minute != "00":
        words += ("零" if minute[0] == "0" else "") + whole(minute) + "分"
    return words + (f"{'零' if second[0] == '0' else ''}{whole(second)}秒" if second else "")


def _half_of_day(match: re.Match[str]) -> str:
    """10:30 AM, 8pm. A word for the time of day before it stays alone."""
    hour, is_morning = int(match[2]), match[4] in "Aa"
    if hour > 12:
        return match.group()
    part = ("凌晨" if hour < 6 else "上午") if is_morning else "中午" if hour == 12 else "下午" if hour < 6 else "晚上"
    return (match[1] or part) + (
        f"{match[2]}:{match[3]}" if match[3] else "两点" if hour == 2 else f"{whole(match[2])}点"
    )


def _span_of_hours(match: re.Match[str]) -> str:
    """3-4pm"""
    first, last, is_morning = int(match[2]), int(match[3]), match[4] in "Aa"
    if not 0 < first < last <= 12:
        return match.group()
    part = match[1] or ("上午" if is_morning else "下午" if first < 6 or first == 12 else "晚上")
    hours = ["两点" if hour == 2 else f"{whole(str(hour))}点" for hour in (first, last)]
    return part + "到".join(hours)


def _duration(match: re.Match[str]) -> str:
    """1h30min, 2m30s."""
    units = ("小时", "分钟", "秒")
    return "".join(whole(n) + unit for n, unit in zip(match.groups(), units) if n)


DATE_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(rf"(?<![\dA-Za-z])--({_MONTH})-({_DAY})(?!\d)"), _month_day),
    (re.compile(r"(?<=[-/.]\d\d)" + DASH + r"(?=(?:19|20)\d\d([-/.])\d{1,2}\1\d{1,2})"), lambda m: "到"),
    (re.compile(r"(?<![\d./-])((?:1[5-9]|20|21)\d{2})([-/.])(\d{1,2})\2(\d{1,2})(?![\d.])[日号]?"), _date),
    (re.compile(r"(?<![\dA-Za-z.-])((?:19|20)\d\d)()(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?![\dA-Za-z.-])"), _date),
    (re.compile(rf"(?<![\d/.])({_MONTH})/({_DAY}){DASH}({_MONTH})/({_DAY})(?![\d/])"), _span_of_days),
    (re.compile(rf"(?<![\d/])({_MONTH})/(0[1-9])(?![\d/])"), _month_day),
    (re.compile(rf"(?<=[日期于在])({_MONTH})/([12]\d|3[01])(?![\d/])"), _month_day),
    (re.compile(r"((?:时间|日期|截止|截至|期限|生日|入住|离店|退房|出发|返程|回程|去程|抵达|到达|出院|入院|开学|放假|考试|面试|复查|发货|到货|上线|交付|开会|到期|预约|更新|发布|改[到成为]|定[在于]|提前到|[推延]迟?期?到|挪到|deadline|DDL|ddl)[:：为到是至\s]{0,2})"
                rf"({_MONTH})/({_DAY})(?![\d/])"),
     _month_day),
    (re.compile(rf"(?<![\d/.])({_MONTH})/({_DAY})"
                r"(?=\s?[（(]?(?:周|星期|礼拜)|\s?[上下中]午|\s?[早晚]上|\s\d{1,2}[:：点])"),
     _month_day),
    (re.compile(rf"(?<=[周期拜][一二三四五六日天])[（(]({_MONTH})/({_DAY})[)）]"), _month_day),
    # 周一三五18:30: without the pause it is one number.
    (re.compile(r"(?<=[周期拜][一二三四五六日])(?=\d)|(?<=[一二三四五六][一二三四五六日])(?=\d)"), lambda m: "，"),
    (re.compile(rf"(?<![\d./])({_MONTH})\.({_DAY})(?=\s\d{{1,2}}[:：]\d\d)"), _month_day),
    # 4.12-4.13考试
    (re.compile(rf"(?<![\d./])({_MONTH})\.([12]\d|3[01]){DASH}({_MONTH})\.([12]\d|3[01])(?![\d.%％元米倍度公千万亿个分点克升秒]|\s?[A-Za-z℃])"),
     _span_of_days),
    (re.compile(rf"(?<![\d./])({_MONTH})\.({_DAY}){DASH}({_MONTH})\.({_DAY})(?=[放考开举报活休停期])"), _span_of_days),
    (re.compile(r"(?<=[:：]\d\d)" + DASH + r"(?=\d{1,2}[:：]\d\d)"), lambda m: "到"),
    (re.compile(r"(?<!\d)((?:1[5-9]|20)\d\d)" + DASH
                + r"((?:1[5-9]|20)\d\d)(?!\d|\s?[A-Za-z元块个米克人名步字张度卡])"),
     lambda m: f"{by_digit(m[1])}到{by_digit(m[2])}"),
    # （1368—1644）
    (re.compile(r"(?<=[（(])(\d{3}|1\d{3})" + DASH + r"(1\d{3}|20\d\d|\d{3})(?=[）)])"),
     lambda m: f"{by_digit(m[1])}到{by_digit(m[2])}" if int(m[1]) < int(m[2]) else m[0]),
    # Years of three digits: in a span, or after 公元.
    (re.compile(rf"(?<!\d)(\d{{3}})(年?)(?:{DASH}|[到至])(\d{{3,4}})(?=年)"),
     lambda m: f"{by_digit(m[1])}{m[2]}到{by_digit(m[3])}"),
    (re.compile(r"(?<=公元)\d{3}(?=年)|(?<=元前)\d{3}(?=年)|(?<=[生卒建]于)\d{3}(?=年)"), lambda m: by_digit(m[0])),
    (re.compile(r"(?<![\d了有近约过满达历共用整前长])\d{3}(?=年(?:在|出生|去世|即位|登基|建立|灭|统一|爆发|被|由))"),
     lambda m: by_digit(m[0])),
    # （前259年－前210年）: before our era.
    (re.compile(r"(?:(?<=[（(于在至到－–—~-]前)|(?<=^前))\d{2,3}(?=年)"), lambda m: by_digit(m[0])),
    (re.compile(r"(?<=年)[－–—-](?=前)"), lambda m: "到"),
    (re.compile(r"(?<!\d)['’‘]?\d{2}(?=年)"), _short_year),
    (re.compile(r"(?<!\d)\d{4}(?=年)"), _long_year),
    # Classes of a school: 2024届, 78届毕业生.
    (re.compile(r"(?<!\d)(?:19|20)\d\d(?=[级届款版])|(?<!\d)(?:[5-9]\d|0\d)(?=届|级(?:学生|新生|毕业|校友|同学))"),
     lambda m: by_digit(m[0])),
    (re.compile(r"(?<![\d:：.])(?:[5-9][05]|0[05])(?=后)(?!后[天来再面续])"), lambda m: by_digit(m[0])),
    (re.compile(r"(?<!\d)(0?\d|1[0-2])月(0?\d|[12]\d|3[01])(?=[日号])"),
     lambda m: f"{whole(m[1])}月{whole(m[2])}"),
    (re.compile(r"([上下中]午|[早晚]上)?(?<![\d:：])(\d{1,2})" + DASH + r"(\d{1,2})\s?([AaPp])\.?[Mm](?![A-Za-z])"),
     _span_of_hours),
    (re.compile(r"([上下中]午|[早晚]上|凌晨|早晨|明早|今晚)?\s?(?<![\d:：])"
                r"(\d{1,2})(?:[:：]([0-5]\d))?\s?([AaPp])\.?[Mm](?![A-Za-z])\.?"), _half_of_day),
    (re.compile(r"(?<![A-Za-z\d.])(?:(\d+)\s?h\s?)(\d+)\s?(?:min|m)(?:\s?(\d+)\s?s)?(?![A-Za-z\d])"), _duration),
    (re.compile(r"(?<![A-Za-z\d.])()(\d+)\s?(?:min|m)\s?(\d+)\s?s(?![A-Za-z\d])"), _duration),
)  # fmt: skip
TIME_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(?<![\d.:：])2(?=点(?!\d))"), lambda m: "两"),
    (re.compile(r"(?<![\d:：])(\d{1,2})[:：](\d\d)(?:[:：](\d\d))?(?![\d:：])"), _time),
)
