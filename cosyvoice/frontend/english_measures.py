"""English money and measures: patterns and how they are spoken."""

from __future__ import annotations

import re
from collections.abc import Callable

from cosyvoice.frontend.english_numbers import cardinal, fraction, number
from cosyvoice.frontend.tables import one_of, table

_CURRENCIES = table("en", "currencies")
_SCALES = table("en", "scales")
_UNITS = table("en", "units")
_PER = table("en", "per")
_N = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_SCALE = rf"(?:\s?({one_of(_SCALES)})\b|\s(hundred|thousand|million|billion|trillion)\b)?"
_SIGN = one_of(_CURRENCIES)
_LETTERS = one_of(name for name in _CURRENCIES if name.isalpha())
_UNIT = one_of(_UNITS)
_YEAR_BEFORE_TO = r"(?:19|20)\d\d to \d"  # from June 2022 to 3%
_DIRECTIONS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_TIMES = ("hour", "minute", "second")
_END = r"(?![A-Za-z0-9°])"


def _amount(digits: str, scale: str | None, currency: str) -> str:
    one, many, cent, cents = _CURRENCIES[currency]
    if re.fullmatch(r"\d+(?:\.\d{3})*,\d{2}", digits) and "." not in digits[-3:]:  # 19,90 and 1.234,56
        digits = digits.replace(".", "").replace(",", ".")
    digits = digits.replace(",", "")
    if scale:
        return f"{number(digits)} {_SCALES.get(scale, scale)} {many}"
    whole, _, part = digits.partition(".")
    if part and (len(part) > 2 or not cent):
        return f"{number(digits)} {many}"
    hundredths = int(part.ljust(2, "0")) if part else 0
    words = []
    if int(whole) or not hundredths:
        words.append(f"{cardinal(str(int(whole)))} {one if int(whole) == 1 else many}")
    if hundredths:
        words.append(f"{cardinal(str(hundredths))} {cent if hundredths == 1 else cents}")
    return " and ".join(words)


_ARTICLE = re.compile(r"\b(?:an?|the|your|my|this|that) $", re.IGNORECASE)
_NOUN = re.compile(
    r" (?!(?:a|an|the|per|and|or|to|for|in|on|of|off|each|more|less|every|is|was|at|by|from|with|as|but|if|when|plus"
    r"|you|we|it|i|that|than|today|now|out|up|down|left|total|due|back|over|under|via|will|has|goes|near|before|after|during|between|past"
    r"|into|inside|outside|so|while|because|then|overnight|tonight|tomorrow)\b)[a-z]"
)


_LONG = re.compile(
    r" (?:long|wide|tall|deep|high|thick|apart|away|below|above|across|around|longer|wider|taller|shorter|lower)\b"
)
_A = re.compile(r"\ban? $", re.IGNORECASE)
_CAPITALS = re.compile(r" [A-Z]{2,}")
_QUOTE = re.compile(r"(?<!\d)\"")


def _money(match: re.Match[str]) -> str:
    sign = "minus " if match[1] else ""
    first = _amount(match[3], match[4] or match[5], match[2])
    if not match[6]:
        one, many, *_ = _CURRENCIES[match[2]]
        before, after = match.string[: match.start()], match.string[match.end() :]
        if first.endswith(many) and _ARTICLE.search(before) and _NOUN.match(after):
            first = first.removesuffix(many) + one  # a $500 deposit
        return sign + first
    scale = match[7] or match[8]
    start = number(match[3]) if scale and not (match[4] or match[5]) else first
    return f"{sign}{start} to {_amount(match[6], scale, match[2])}"


def _unit(match: re.Match[str]) -> str:
    low, digits, hyphen, unit, power, under, under_power = match.groups()
    one, many = _UNITS[unit]
    before, after = match.string[: match.start()], match.string[match.end() :]
    beside_noun = _A.search(before) and (_NOUN.match(after) or _CAPITALS.match(after))  # a 2 TB SSD
    name = one if (digits in ("1", "1.0") and not low) or hyphen or beside_noun else many  # a 20-mg tablet
    if power:
        name = {"2": "square ", "3": "cubic "}[_power(power)] + name
    if under:
        below = _PER.get(under) or _UNITS[under][0]
        name += " per " + ({"2": "square ", "3": "cubic "}[_power(under_power)] if under_power else "") + below
    words = f"{number(digits)} {name}"
    return f"{number(low)} to {words}" if low else words


def _fraction_of_unit(match: re.Match[str]) -> str:
    """1/2 tsp, 1 1/2 oz."""
    one, many = _UNITS[match[4]]
    if match[2] == "0" or int(match[3]) < 2:
        return match.group()
    part = fraction(int(match[2]), int(match[3]))
    return f"{number(match[1].strip())} and {part} {many}" if match[1] else f"{part} {one}"


def _fraction_of_inch(match: re.Match[str]) -> str:
    """3/8" and 5 1/2"."""
    if match[2] == "0" or int(match[3]) < 2:
        return match.group()
    part = fraction(int(match[2]), int(match[3]))
    return f"{number(match[1].strip())} and {part} inches" if match[1] else f"{part} inch"


def _power(text: str) -> str:
    return {"²": "2", "³": "3"}.get(text[-1], text[-1])


def _height(match: re.Match[str]) -> str:
    if match[2] and int(match[2]) > 11:  # a pace: 5'42"/km
        return f"{number(match[1])} {'minute' if match[1] == '1' else 'minutes'} {number(match[2])} seconds"
    feet = f"{number(match[1])} {'foot' if match[1] == '1' else 'feet'}"
    inches = f" {number(match[2])}" if match[2] else ""
    return feet + inches + (" inches" if match[3] else "")


def _sides(match: re.Match[str]) -> str:
    """12' x 14', 8'6" x 10'."""
    sides = [
        f"{number(feet)} feet" + (f" {number(inches)} inches" if inches else "")
        for feet, inches in re.findall(r"(\d+(?:\.\d+)?)['′’]\s?(?:(\d+)[\"″”])?", match[0])
    ]
    return " by ".join(sides)


def _sides_in_inches(match: re.Match[str]) -> str:
    """10" x 8"."""
    sides = [number(side) for side in re.findall(r"\d+(?:\.\d+)?", match[0])]
    return " by ".join(f"{side} inches" for side in sides)


def _inches(match: re.Match[str]) -> str:
    """A 32" waist, but 32" long; 3-5" of snow. Not the end of a quotation."""
    low, digits = match.groups()
    before, after = match.string[: match.start()], match.string[match.end() :]
    if len(_QUOTE.findall(before)) % 2:
        return match[0]
    one = digits == "1" or (_NOUN.match(after) and (_ARTICLE.search(before) or not _LONG.match(after)))
    return f"{f'{number(low)} to ' if low else ''}{number(digits)} {'inch' if one and not low else 'inches'}"


def _more_than(match: re.Match[str]) -> str:
    """8+ hrs."""
    return f"{number(match[1])} plus {_UNITS[match[2]][1]}"


_BELOW = {
    "hpf": "high power field", "HPF": "high power field", "mm³": "cubic millimeter", "mm3": "cubic millimeter",
    "cm²": "square centimeter",
}  # fmt: skip


def _angle(match: re.Match[str]) -> str:
    degrees, minutes, seconds, direction = match.groups()
    words = f"{number(degrees)} degrees {number(minutes)} minutes" + (f" {number(seconds)} seconds" if seconds else "")
    return words + (f" {_DIRECTIONS[direction]} " if direction else "")


def _duration(match: re.Match[str]) -> str:
    """2h 45m, 1h30m15s."""
    parts = [f"{number(n)} {unit}{'' if n == '1' else 's'}" for n, unit in zip(match.groups(), _TIMES) if n]
    return " ".join(parts)


MEASURE_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    # 1 lb. of flour: the dot ends no sentence.
    (re.compile(rf"(?<=\d)(\s?(?:{_UNIT}))\.(?=\s+[a-z(]|[,;])"), lambda m: m[1]),
    # 1-1 1/2 hrs, 1/2-1 cup
    (re.compile(r"(?<![\w.,/-])(\d{1,2})\s?[-–]\s?(?=\d{1,2} [1-9]/\d{1,2}(?![\w/]))"),
     lambda m: f"{number(m[1])} to "),
    (re.compile(r"(?<![\w.,/-])([1-9])/([2-9]|1[0-9])\s?[-–]\s?(?=[1-9](?: [1-9]/\d)?\s?[a-z])"),
     lambda m: f"{fraction(int(m[1]), int(m[2]))} to "),
    (re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:\s?[x×]\s?\d+(?:\.\d+)?){1,2} in\b\.?(?=[),.;]|$)"),
     lambda m: " by ".join(map(number, re.findall(r"[\d.]*\d", m[0]))) + " inches"),
    # Of a race: the 100m final.
    (re.compile(r"(?<![\w.,])(\d{2,5})\s?m(?= (?:world|final|race|dash|sprint|freestyle|hurdles|butterfly|backstroke"
                r"|breaststroke|medley|relay|title|champion|record|event|runner)\b)"),
     lambda m: f"{number(m[1])} meter"),
    # An oven: 350F.
    (re.compile(r"(?<![\w.,$])([1-5]\d\d)\s?([FC])(?![\w°])"), lambda m: f"{m[1]}°{m[2]}"),
    (re.compile(r"(?<=°[CF])/(?=\d)"), lambda m: ", "),  # 180°C/350°F
    (re.compile(r"(?<![^\s(])(?<!\d\s)[-−](?=\d)"), lambda m: "minus "),
    # 37°46′30″N: an angle; a place on earth.
    (re.compile(r"(?<![\w.])(\d{1,3})° ?(\d{1,2})[′’'] ?(?:(\d{1,2}(?:\.\d+)?)(?:[″”\"]|'') ?)?([NSEW](?!\w))?"),
     _angle),
    (re.compile(r"(?<=\d)° ?([NSEW])(?!\w)"), lambda m: f" degrees {_DIRECTIONS[m[1]]}"),
    (re.compile(rf"(?<=[A-Za-z])/(?=\d+(?:\.\d+)?\s?(?:m²|{_UNIT}){_END})"), lambda m: " per "),
    (re.compile(r"(?<=\d) ?/ ?([µμu]L|[dm]?L|kg|hpf|HPF|mm³|mm3|cm²|ha)(?!\w)"),
     lambda m: f" per {_BELOW.get(m[1]) or _UNITS[m[1]][0]}"),
    # Of accounts: $(12.4) million is a loss.
    (re.compile(rf"([$€£])\(({_N})\)"), lambda m: f"minus {m[1]}{m[2]}"),
    (re.compile(
        rf"(?<![\w.])(-)?({_SIGN})\s?(\d+(?:\.\d{{3}})*,\d{{2}}(?!\d)|{_N}){_SCALE}"
        rf"(?:\s?[-–]\s?(?:{_SIGN})?({_N}){_SCALE})?(?![\d]|,\d|\.\d)"), _money),
    (re.compile(rf"(?<![\w.,])(\d+(?:\.\d{{3}})*,\d{{2}}(?!\d)|{_N}){_SCALE}\s?({_LETTERS}|[€£₽₹₩])(?!\w)"),
     lambda m: _amount(m[1], m[2] or m[3], m[4])),
    (re.compile(r"(?<![\w.])\d+(?:\.\d+)?['′’]\s?(?:\d+[\"″”]\s?)?[x×]\s?\d+(?:\.\d+)?['′’](?:\s?\d+[\"″”])?"), _sides),
    (re.compile(r"(?<![\w.])(\d)['′’](?:\s?(\d{1,2})(?:\s?([\"″”]|''))?)(?!\w)"), _height),
    (re.compile(r"(?<![\w.])(\d+)\s?h(?:rs?)?\s?(\d+)\s?m(?:ins?)?(?:\s?(\d+)\s?s(?:ecs?)?)?\b"), _duration),
    (re.compile(r"(?<![\w.,/])(\d+\s)?(\d{1,2})/(\d{1,2})(?:[\"″]|-inch\b)"), _fraction_of_inch),
    (re.compile(r"(?<![\w.\"])\d+(?:\.\d+)?[\"″”]?(?:\s?[x×X]\s?\d+(?:\.\d+)?[\"″”]){1,2}"), _sides_in_inches),
    (re.compile(r"(?<![\w.\"])(\d+(?:\.\d+)?)[\"″”]\s?[x×X]\s?(?=\d)"), lambda m: f"{number(m[1])} inches by "),
    (re.compile(r"(?<![\w.\"-])(?:(\d+(?:\.\d+)?)\s?[-–]\s?)?(\d+(?:\.\d+)?)[\"″](?=\s[a-z\d]|\s[A-Z]|[,.;)]|$)"
                r"(?<!\d\d\d\")"), _inches),
    (re.compile(rf"(?<![\w.,/])(\d+\s)?(\d)\s?/\s?(\d{{1,2}})\s?({_UNIT}){_END}"), _fraction_of_unit),
    (re.compile(rf"(?<![\w.,/])({_N})\+\s?-?({_UNIT}){_END}"), _more_than),
    # 5%-6%, 10 kg–12 kg: both have their unit.
    (re.compile(rf"(?<=\d)(\s?(?:{_UNIT}))\s?[-–—]\s?(?={_N}\s?(?:{_UNIT}){_END})"), lambda m: f"{m[1]} to "),
    (re.compile(rf"(?<![\w/.])({_N})\s?/\s?({_N})\s?mm\s?Hg\b"),
     lambda m: f"{number(m[1])} over {number(m[2])} millimeters of mercury"),
    (re.compile(rf"(?<![\w.,])({_N})\s?[x×]\s?(?={_N}(?:\s?[x×]\s?{_N})?\s?(?:{_UNIT}){_END})(?!.*=)"),
     lambda m: f"{number(m[1])} by "),
    (re.compile(r"(?<![\w.])(\d{1,2}) ?ft\.? (\d{1,2}) ?in\b\.?"
                r"(?! (?!tall|long|wide|high|deep|and|or|but)[a-z])"),
     lambda m: f"{number(m[1])} feet {number(m[2])} {'inch' if m[2] == '1' else 'inches'}"),
    # Roads: I-80 W.
    (re.compile(r"\b(I|US|SR|[Hh]ighway|[Rr]oute|[Ee]xit)([- ])(\d{1,3}) ([NSEW])(?!\w)"),
     lambda m: f"{m[1]}{m[2]}{m[3]} {_DIRECTIONS[m[4]]}"),
    # The rating of a power supply. An A alone is a letter more often than amperes.
    (re.compile(rf"(?<![\w.,/])({_N})\s?V\s?/\s?({_N})\s?A(?!\w)"),
     lambda m: f"{number(m[1])} volts {number(m[2])} amps"),
    (re.compile(
        rf"(?<![\w.,/])(?<![A-Za-z]-)(?:(?!{_YEAR_BEFORE_TO})({_N})\s?(?:-|–|to)\s?)?({_N})(?:\s?|(-))"
        rf"({_UNIT})([²³]|\^?[23](?![\d.]))?"
        rf"(?:\s?/\s?({one_of([*_PER, *_UNITS])})([²³]|\^?[23](?!\d))?)?{_END}"), _unit),
    (re.compile(r"(?<=\bper )(k?g|mg|lb|oz|km|cm|mm|mi|m?L|ml|gal|hr|min|sec|wk|mo|yr|[GM]B|kWh|sq ft)\b"),
     lambda m: str(_UNITS[m[1]][0])),
    (re.compile(r"\b(dollars?|cents?|euros?|pounds?|yen|yuan|rupees)\s?/\s?"
                rf"({one_of(n for n in _UNITS if n.isalpha() and n.islower())})\b"),
     lambda m: f"{m[1]} per {_UNITS[m[2]][0]}"),
    # $5/ride, 400 mg/dose
    (re.compile(r"\b(dollars?|cents?|euros?|pounds?|pence|yen|yuan|rupees|milligrams?|grams?|kilograms?|liters?|hours?"
                r"|minutes?|seconds?|calories|percent|miles?|points?|thousand|million)\s?/\s?([a-z]{3,})\b"),
     lambda m: f"{m[1]} per {m[2]}"),
    (re.compile(rf"(?<![\w.])(\d+)\s?/\s?({one_of(n for n in _PER if len(n) > 2)})\b"),
     lambda m: f"{number(m[1])} per {_PER[m[2]]}"),
    (re.compile(rf"(?<=[a-z])\s?/\s?({one_of([*_PER, 'kg', 'GB', 'L', 'km', 'kWh'])})\b"),
     lambda m: f" per {_PER.get(m[1]) or _UNITS[m[1]][0]}"),
)  # fmt: skip
