"""Mandarin codes and scores: numbers that only the words beside them tell from quantities and times."""

from __future__ import annotations

import re
from collections.abc import Callable

from cosyvoice.frontend.chinese_numbers import by_digit, number, whole

_N = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_CODE_BEFORE = re.compile(
    r"(?:(?<![数起尺筹鞋])码|尾号|编号|卡号|账号|帐号|单号|订单号?|工号|学号|证号|号码|房间号?|房号|航班|车次|车牌号?|代码|口令|邮编|热线|电话|手机号?|分机|拨打"
    r"|致电|请拨|拨|来电|火警|报警|急救|匪警|股票|型号|序列号|识别码|QQ群?|微信号?|校验码|动态码|PIN码?|ID|会议号|流水号|合同号|批号|货号|床号|桌号|税号"
    r"|门牌号?|传真|座机|快递|运单|单元|转|后[三四六]位|[A-Z港美]股|基金|证券|短信[到至]|发送[到至])(?:是|为|为：|：|:|\s|号|码)*[“\"]?$"
)
# 工号：0731, 会议号是512 884 903: whatever number or code it is, if it has three digits and more.
_ANY_CODE_BEFORE = re.compile(r"(?<![信星问井括逗加减句引])[号码](?:是|为|：|:)\s?[“\"]?$")
_TELEPHONE = re.compile(r"(?:火警|报警|急救|匪警|热线|电话|手机号?|拨打|致电|请拨|拨|打|转|分机|尾号|号码|验证码|单元)")
_SCORE_BEFORE = re.compile(
    r"(?:比分|比例|比率|比|战成|战平|获胜|取胜|领先|落后|胜|负|尺寸|屏幕?|画面|长宽|配比|以|总分|大比分|局分|局|打到了?|打成)"
    r"(?:一般|大约|大概|通常|最好|差不多|约)?[为是都均：:\s]*$"
)
_SCORE_AFTER = (
    r"(?=\s?(?:轻松|顺利|艰难|强势)?(?:完胜|战胜|击败|大胜|险胜|力克|逆转|获胜|取胜|领先|落后|告负|不敌|横扫|惨败|战平|打平|输给|淘汰|拿下|赢|轻取|绝杀|惜败|落败|憾负|负于|小胜"
    r"|的?(?:大)?比分|的成绩|平局|双杀|屠))"
)
_AFTER_SCORE = re.compile(_SCORE_AFTER)
# Words of a report on sports: d-d is a score in it.
_SPORTS = re.compile(
    r"战胜|击败|力克|险胜|完胜|不敌|横扫|逆转|绝杀|夺冠|卫冕|决赛|联赛|小组赛|淘汰赛|客场|主场|上半场|下半场|半场|终场|全场比赛|扳平|破门|进球|头球|点球|乌龙|加时|比分"
    r"|首局|次局|第[一二三四五1-7]局|首盘|次盘|第[一二三]盘|女排|男排|国乒|女单|男单|女双|男双|混双|NBA|CBA|英超|西甲|意甲|德甲|法甲|中超|欧冠|欧联|世界杯|亚洲杯"
    r"|欧洲杯|湖人|勇士队|凯尔特人|国足|国安|申花|皇马|巴萨|曼城|曼联|利物浦|阿森纳|切尔西|拜仁"
)
_SCORE_IN_SPORTS = re.compile(
    r"(?<![\d:：.A-Za-z-])(\d{1,3})[-–—](\d{1,3})(?![\d:：A-Za-z%％℃°.-]|\s?[个分天人次年月日号小米公岁轮周名元块万])"
)
# Words of a sentence on the web: 404 and the like are codes in it.
_WEB = re.compile("(?i:http|api)|接口|状态码|报错|网页|页面|服务器|请求|浏览器|网关")
_STATUS = re.compile(
    r"(?<![\d.,:：/A-Za-z-])(?:30[1-8]|40[1-9]|4[12]\d|50[1-9])(?![\d.,:：/%％℃]|\s?[元块个人次年月日号米克条页台A-Za-z])"
)
_SCORE = re.compile(
    rf"(?<![\d:：.])({_N})\s?[:：]\s?({_N})(?![\d:：])|(?<![\d:：.-])(\d{{1,3}})[-–—](\d{{1,3}})(?![\d:：-])"
)
_SCORES = re.compile(r"(?<![\d:：.-])\d{1,3}[-–—:：]\d{1,3}(?:\s?[、，,/\s]\s?\d{1,3}[-–—:：]\d{1,3}){1,9}(?![\d:：-])")
_SCORE_BEFORE_WORD = re.compile(rf"(?<![\d:：.-])(\d{{1,3}})\s?[-–—:：]\s?(\d{{1,3}}){_SCORE_AFTER}")
_HIDDEN = re.compile(r"(?<!\d)(\d{2,6})\*{3,}(\d{2,6})(?!\d)")  # 138****5678
_DIGITS = re.compile(r"(?<![\d.,/:：-])\d{2,}(?:[ -]\d{2,8}){0,5}(?![\d%％/:：]|[.,~～–-]\d)")


def ratio(match: re.Match[str]) -> str:
    """Its two numbers as a ratio or a score."""
    first, second = (part for part in match.groups() if part is not None)
    return f"{number(first)}比{number(second)}"


def codes_and_scores(text: str, before: str) -> str:
    """The text with those numbers in words. before: the text before it."""

    def code(match: re.Match[str]) -> str:
        words = (before + text[: match.start()])[-24:]
        found = _CODE_BEFORE.search(words) or (len(match[0]) > 2 and _ANY_CODE_BEFORE.search(words))
        groups = re.split("[ -]", match[0])
        if not found or (len(match[0]) < 3 and match[0][0] != "0"):
            return match[0]
        if found[0] == "单元" and len(groups) > 1:
            return match[0]
        return by_digit(match[0], "幺" if _TELEPHONE.search(found[0]) else "一")

    def score(match: re.Match[str]) -> str:
        return ratio(match) if _SCORE_BEFORE.search((before + text[: match.start()])[-16:]) else match[0]

    def scores(match: re.Match[str]) -> str:
        found = _SCORE_BEFORE.search((before + text[: match.start()])[-16:]) or _AFTER_SCORE.match(text, match.end())
        if not found:
            return match[0]
        return _SCORE.sub(ratio, match[0])

    if _SPORTS.search(before + text):
        text = _SCORE_IN_SPORTS.sub(ratio, text)
    if _WEB.search(before + text):
        text = _STATUS.sub(lambda status: by_digit(status[0]), text)
    text = _SCORES.sub(scores, text)
    text = _SCORE_BEFORE_WORD.sub(ratio, _SCORE.sub(score, text))
    text = _HIDDEN.sub(lambda m: f"{by_digit(m[1], '幺')}，{by_digit(m[2], '幺')}", text)
    return _DIGITS.sub(code, text)


def phone(match: re.Match[str]) -> str:
    """A telephone number."""
    words = by_digit(match[0], "幺")
    return "加" + words if match[0].startswith("+") else words


def _letters_and_digits(match: re.Match[str]) -> str:
    return "".join(by_digit(one, "幺") if one.isdigit() else one for one in match[0])


CODE_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    # Plates of cars: 沪A·8K729.
    (re.compile(r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·•\s]?[A-Z0-9]{5,6}(?![A-Za-z0-9])"),
     _letters_and_digits),
    (re.compile(r"(?<=[(（])([0368]\d{5})(?:\.S[HZ])?(?=[)）])"), lambda m: by_digit(m[1])),
    # Standards: GB/T 7714-2015, ISO 9001.
    (re.compile(r"(?<![A-Za-z])(GB/[TZ]|GB|[A-Z]{2,3}/T|ISO|IEC|IEEE|JIS|DIN|ASTM)\s?(\d{3,6})((?:\.\d{1,2})?)[-—–:：]((?:19|20)\d\d)"),
     lambda m: f"{m[1].replace('/', ' ')}{by_digit(m[2])}{'点' + by_digit(m[3]) if m[3] else ''}杠{by_digit(m[4])}"),
    # Models: RTX 4090, i7-13700K.
    (re.compile(r"(?<=[A-Z]{2} )\d{4}(?![\d.,:：/~～-]|\s?[万亿元块年个人次名字条度米吨美%％℃A-Za-z])"),
     lambda m: by_digit(m[0])),
    (re.compile(r"(?<![A-Za-z\d])([A-Za-z]{1,3}\d{0,2})-(\d{4,5})([A-Z]{0,2})(?![A-Za-z\d])"),
     lambda m: f"{re.sub('[0-9]+', lambda d: whole(d[0]), m[1])}-{by_digit(m[2])}{m[3]}"),
    (re.compile(r"(?<=\d{4}号)-(?=\d)"), lambda m: "杠"),
    # Seats: 座位号32K.
    (re.compile(r"(座位号?|座号|座椅|登机口|机位)([是为：:\s]{0,2})(\d{1,3})([A-Z])(?![A-Za-z])"),
     lambda m: f"{m[1]}{m[2]}{whole(m[3])}{m[4]}"),
    (re.compile(r"(?<![A-Za-z])[Nn][Oo]\.?\s?(\d+)(?!\.?\d)"), lambda m: "第" + whole(m[1])),
    # The year of a document: (2021)京01民初123号, 国发〔2021〕5号.
    (re.compile(r"(?<=[(（〔\[])(?:19|20)\d\d(?=[)）〕\]])"), lambda m: by_digit(m[0])),
    (re.compile(r"(?<!\d)(?:110|119|120|122|12[0-9]{3}|1[01]0[01][0-9]|95\d{3})(?=(?:报警|急救|火警|匪警|求助|举报|投诉|政务|市民|客服|服务|咨询|抢险|热线|电话|平台|中心)"
                r"(?!费|量))"), phone),
    (re.compile(r"打(1\d{2,4}|9\d{4})(?=$|[，。,.;；！!？?、）)转查求咨报热叫]|\s)"),
     lambda m: "打" + by_digit(m[1], "幺")),
    (re.compile(r"\+\d[\d() -]{6,18}\d(?![\w-])", re.ASCII), phone),
    (re.compile(r"[(（]0\d{2,3}[)）][\s-]?\d{3,4}[- ]?\d{4}(?!\d)"), phone),
    (re.compile(r"(?<![\dA-Za-z.-])(?:0\d{2,3}[- ]\d{3,4}(?:[- ]?\d{3,4})?|(?:400|800|95\d)[- ]\d{3,4}[- ]?\d{3,4})"
                r"(?![\d-])"), phone),
    (re.compile(r"(?<!\d)1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)"), phone),
    (re.compile(r"(?<=转)\d{3,6}(?!\d)"), phone),
    (re.compile(r"(?<![A-Za-z])([GDCZTKYLS])(\d{3,4})(?=次)"), lambda m: m[1] + by_digit(m[2], "幺")),
    (re.compile(r"(?<![\d.,第约近共])\d{3,4}(?=有人|住户|的(?:住户|业主|邻居|同学|客人))"),
     lambda m: by_digit(m[0], "幺")),
    (re.compile(r"(?<![\d.,第约近共])\d{3}(?=艺术区|[国省县]道|路(?:公交|车|口))"), lambda m: by_digit(m[0], "幺")),
    (re.compile(r"(?<=[住搬][在进到])\d{3,4}(?![\d元块平米万亿人个年多余%~～.-])"), lambda m: by_digit(m[0], "幺")),
    (re.compile(r"(?<=[元楼栋座幢层塔])\d{3,4}(?![\d元块平米万亿人个年多余%~～.-])"), phone),
)  # fmt: skip
