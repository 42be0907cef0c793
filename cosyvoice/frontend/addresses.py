"""Addresses in text: web and mail addresses, file names and user names. Pure.

A dot inside an address is spoken. A dot between two other words ends a sentence that lacks its space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

# Ends of a host name that are no English words. "it", "me" and the like count only in `_HOST_WITH_PATH`.
_TLD = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|co|uk|cn|de|fr|jp|kr|es|ru|eu|ca|au|tv|xyz|example|test|local"
    "|localhost|cc|tw|hk|sg|nl|ch|se|pl|br|mx|nz|za|ie|cloud|tech|online|store|site|shop|club|gg|ly|fm|ne"
)
_FILE = (
    "pdf|docx?|xlsx?|pptx?|txt|csv|json|xml|ya?ml|toml|html?|css|jsx?|tsx?|py|rs|cpp|sh|exe|zip|tar|gz|rar|png|jpe?g"
    "|gif|svg|mp3|mp4|wav|flac|mov|avi|md|log|ini|cfg|sql|db|apk|iso|dmg|bat|ipynb|webp|epub|js|net|conf|env|lock|java|rb|php|swift|kt|vue|ps1|heic|psd|ogg|m4a|mkv|srt|tex|bin|pem|key"
)
# Of programs: document.title is one name, not two sentences.
_OBJECTS = """
document window console self this app np pd plt torch os sys math json request response module process navigator config
node event fs path res req ctx df model axios router store props state Math Object Array JSON
"""
OBJECTS = frozenset(_OBJECTS.split())
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?"
_PATH = r"(?:[/?#][\w\-.~%/?#&=+@!*,:;]*[\w/=])?"
_END = r"(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
_URL = rf"(?:https?|ftp|wss?)://(?:[\w.-]*\w(?::\d+)?)(?:[/?#](?:[\w\-.~%/?#&=+@!*,:;]*[\w/=])?)?|www\.[\w.-]*\w{_PATH}"
_MAIL = rf"(?:mailto:)?[A-Za-z0-9][A-Za-z0-9._%+-]{{0,63}}@(?:{_LABEL}\.){{1,6}}[A-Za-z]{{2,24}}{_END}"
_HOST = rf"(?:{_LABEL}\.){{1,6}}(?:{_TLD})(?::\d+)?{_END}{_PATH}"
_HOST_WITH_PATH = rf"(?:{_LABEL}\.){{1,6}}[a-z]{{2,6}}/{_PATH[3:-2]}"
_FILE_NAME = rf"[A-Za-z0-9_][\w-]*(?:\(\d{{1,2}}\))?(?:\.[\w-]+){{0,3}}\.(?:{_FILE})(?![A-Za-z0-9_]|\.[A-Za-z0-9])"
_DOT_FILE = r"\.(?:env|gitignore|dockerignore|bashrc|zshrc|npmrc|htaccess|editorconfig|eslintrc|prettierrc)(?![\w-])"
# src/utils/date.py, /etc/hosts, ~/.ssh, C:\Users\me
_FILE_PATH = (
    rf"(?:~/|\.{{1,2}}/|/)?(?:[\w.~-]{{1,60}}/){{1,8}}{_FILE_NAME}|(?:~|\.{{1,2}})?(?:/[A-Za-z_.](?:[\w.-]{{0,60}}\w)?){{2,8}}/?"
    r"|[~.]{1,2}/[\w.-]{0,60}\w|[A-Z]:\\(?:[\w .~-]{1,40}\\){0,8}[\w.~-]{0,60}"
)
_FLAGS = re.ASCII
_BEFORE = r"(?<![A-Za-z0-9_.@/-])"

ADDRESS = re.compile(
    rf"{_BEFORE}(?:(?P<url>{_URL})|(?P<mail>{_MAIL})|(?P<host>{_HOST})|(?P<file>{_FILE_PATH}|{_FILE_NAME}|{_DOT_FILE}))",
    _FLAGS,
)
_STARTS_LIKE_ONE = re.compile(r"(?:https?|ftp|wss?)://|www\.|@|mailto:", _FLAGS)
_SCHEME = re.compile(r"^(?:(?:https?|ftp|wss?)://|mailto:)")
_PARTS = re.compile(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]", _FLAGS)
_SPELLED = frozenset(["pdf", "csv", "xml", "html", "css", "txt", "cn", "uk", "cc", "tv", "hk", "tw", "mp"])


def is_address(token: str) -> bool:
    """Whether a run of characters without space is, or begins with, an address."""
    return _STARTS_LIKE_ONE.search(token) is not None or ADDRESS.match(token) is not None


def spoken_address(match: re.Match[str], signs: Mapping[str, str], number: Callable[[str], str], joiner: str) -> str:
    """An address in words. The scheme is left out; each sign has its word; in a file name `_` is a space.

    number: words of a run of digits. joiner: between the words.
    """
    address = _SCHEME.sub("", match.group()).rstrip("/")
    words = []
    for part in _PARTS.findall(address):
        if part.isdigit():
            words.append(number(part))
        elif part.isalpha():
            words.append(" ".join(part) if joiner and part.lower() in _SPELLED else part)
        elif part == "_" and match["file"]:
            words.append(" ")
        else:
            words.append(signs.get(part, " "))
    return joiner.join(words)
