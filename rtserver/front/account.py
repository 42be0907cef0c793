"""What one caller holds of the server: sockets, contexts, places, bytes. Every kind has limits. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from rtserver.config import HoldingKind
from rtserver.front.access import Refused
from rtserver.front.message_budget import MessageBudget
from rtserver.messages.errors import error_message
from rtserver.session.caller import Caller

_WORDS: Mapping[HoldingKind, str] = {
    "requests": "HTTP requests at once",
    "sockets": "connections",
    "contexts": "open contexts",
    "places": "realtime utterances at once",
    "batch": "batch utterances at once",
    "reservations": "conversations with a place kept",
    "preparations": "recordings to prepare at once",
    "body_bytes": "bytes of request bodies at once",
    "recording_bytes": "bytes of recordings at once",
    "text_chars": "characters of text at once",
    "output_bytes": "bytes of sound that wait to be sent",
}

# How much a caller may send at once after silence: what its budget gives in this many seconds.
_BURST_S = 4.0


@dataclass(frozen=True)
class HoldLimit:
    """How much may be held of one kind."""

    # By all callers together.
    total: int
    # By one caller with a key, or on this machine.
    caller: int
    # By one address of another machine, without a key.
    stranger: int


@dataclass(frozen=True)
class MessageRate:
    """How many messages a second are read from one caller's sockets together."""

    # With a key, or on this machine.
    caller: int
    # From one address of another machine, without a key.
    stranger: int


class Exceeded(Refused):
    """A caller may not hold this much. It is told the limit, what is held and what to do."""

    def __init__(self, kind: HoldingKind, text: str) -> None:
        super().__init__(error_message("overloaded", text))
        self.kind: HoldingKind = kind


class Holding:
    """A part of what a caller holds, until it is released. As a context manager it is released after the block."""

    def __init__(self, account: Account, kind: HoldingKind) -> None:
        self._account = account
        self._kind: HoldingKind = kind
        self._over = False
        # How much it is.
        self.amount = 0

    def resize(self, amount: int) -> None:
        """From now on it is this much. Raises Exceeded if that is more than before and more than is allowed. It does
        nothing after `release`."""
        if not self._over and amount != self.amount:
            self._account.change(self._kind, amount - self.amount)
            self.amount = amount

    def release(self) -> None:
        """Gives it back. May be called again."""
        self.resize(0)
        self._over = True

    def __enter__(self) -> Holding:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Account:
    """One caller's account, made by `Accounts.of`."""

    def __init__(self, accounts: Accounts, caller: Caller) -> None:
        self._accounts = accounts
        self._name = caller.holder
        self._is_stranger = caller.is_stranger

    def hold(self, kind: HoldingKind, amount: int = 1) -> Holding:
        """Raises Exceeded when the caller, or all callers together, would hold more than they may."""
        holding = Holding(self, kind)
        holding.resize(amount)
        return holding

    def count_messages(self, messages: int, now_s: float) -> float:
        """Counts messages that were read from the caller. Returns for how many seconds nothing more is to be read."""
        return self._accounts.count_messages(self._name, messages, now_s, is_stranger=self._is_stranger)

    def change(self, kind: HoldingKind, by: int) -> None:
        """More or less of a kind is held. Raises Exceeded."""
        self._accounts.change(self._name, kind, by, is_stranger=self._is_stranger)


class Accounts:
    """All accounts. One that holds nothing is forgotten."""

    def __init__(self, limits: Mapping[HoldingKind, HoldLimit], rate: MessageRate) -> None:
        self.limits = limits
        self._rate = rate
        self._budgets: dict[str, MessageBudget] = {}  # of callers that hold something
        # What all callers hold together.
        self.held: Counter[HoldingKind] = Counter()
        # How often something was refused.
        self.refusals: Counter[HoldingKind] = Counter()
        self._held: dict[str, Counter[HoldingKind]] = {}

    def of(self, caller: Caller) -> Account:
        """The account of a caller: of its key, or without keys of its address."""
        return Account(self, caller)

    @property
    def holders(self) -> int:
        """How many callers hold something."""
        return len(self._held)

    def change(self, holder: str, kind: HoldingKind, by: int, *, is_stranger: bool) -> None:
        """A caller holds more or less of a kind. Raises Exceeded."""
        held = self._held.get(holder) or Counter()
        if by > 0:
            limit = self.limits[kind]
            most = limit.stranger if is_stranger else limit.caller
            if most < limit.total and held[kind] + by > most:
                who = "one address without a key" if is_stranger else "one caller"
                raise self._exceeded(kind, f"at most {most} {_WORDS[kind]} of {who}", held[kind], by)
            if self.held[kind] + by > limit.total:
                raise self._exceeded(kind, f"at most {limit.total} {_WORDS[kind]}", self.held[kind], by)
        self.held[kind] += by
        held[kind] += by
        if not held[kind]:
            del held[kind]
        if held:
            self._held[holder] = held
        else:
            self._held.pop(holder, None)
            self._budgets.pop(holder, None)

    def count_messages(self, holder: str, messages: int, now_s: float, *, is_stranger: bool) -> float:
        """Counts messages that were read from a caller. Returns for how many seconds nothing more is to be read."""
        budget = self._budgets.get(holder)
        if budget is None:
            per_s = self._rate.stranger if is_stranger else self._rate.caller
            budget = MessageBudget(per_s, _BURST_S * per_s, now_s)
            if holder in self._held:
                self._budgets[holder] = budget
        return budget.take(messages, now_s)

    def _exceeded(self, kind: HoldingKind, expected: str, held: int, by: int) -> Exceeded:
        self.refusals[kind] += 1
        found = f"{held} are held" if by == 1 else f"{held} are held and {by} more were asked for"
        return Exceeded(kind, f"expected {expected}, and {found}: end some, or try again later")
