"""The place of one utterance, at admission and in its caller's account. An utterance that waits for text has none, nor
has one whose client takes no sound."""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable

from rtserver.front.account import Exceeded, Holding
from rtserver.ipc.engine import Failed, Open
from rtserver.schedule.admission import Admission

# Calls a function after this many seconds, as an event loop does.
Later = Callable[[float, Callable[[], None]], TimerHandle]

# How often one that waits for a place asks again.
_ASK_AGAIN_S = 0.1


class UtterancePlace:
    """The place of one utterance. It is given back when the engine rests or is held for long, and taken again before
    the engine works on. While there is no place, the text waits here, for `ttfa_s` at most; then `on_refused` is
    called. It is called at once if nothing of the utterance was heard yet."""

    def __init__(
        self,
        request: Open,
        admission: Admission,
        holding: Holding,
        on_refused: Callable[[Failed], None],
        clock: Callable[[], float],
        later: Later,
    ) -> None:
        """The utterance was admitted. holding: what the caller's account holds for the place."""
        self._name = request.utterance
        self._admission = admission
        self._holding = holding
        self._on_refused = on_refused
        self._clock = clock
        self._later = later
        self._taken = True
        self._heard = False
        self._engine_rests = False
        self._held = False
        self._active_s = clock()  # when text came last, or the engine was held
        self._wanted_s = 0.0  # since when it waits for a place
        self._waiting: list[Callable[[], None]] = []  # what goes on when it has one
        self._timer: TimerHandle | None = None

    # -- told by the utterance --------------------------------------------------------------------------------------

    def say(self, go_on: Callable[[], None]) -> None:
        """Text, a flush or the end has come: `go_on` passes it on, as soon as there is a place."""
        self._active_s = self._clock()
        if self._taken or self._held:  # an engine that is held does no work
            go_on()
            self._look_later()
        else:
            self._want(go_on)

    def hold(self, on: bool, pass_on: Callable[[bool], None]) -> None:
        """The engine is to stop, because its sound is not taken, or to go on: `pass_on` tells it, as soon as there is a
        place."""
        self._held = on
        if on or self._taken:
            pass_on(on)
            self._active_s = self._clock()
            self._look_later()
        else:
            self._want(lambda: pass_on(self._held))

    def begun(self) -> None:
        """Its first sound is out: from now on a listener hears it."""
        self._heard = True

    def fed(self) -> None:
        """The engine got text."""
        self._engine_rests = False

    def rest(self) -> None:
        """The engine has waited for text for long."""
        self._engine_rests = True
        self._look()

    def close(self) -> None:
        """The utterance is over: nobody hears of its place any more."""
        self._waiting.clear()
        self._on_refused = _ignore
        self._stop_timer()

    # -- the place --------------------------------------------------------------------------------------------------

    def _want(self, go_on: Callable[[], None]) -> None:
        self._waiting.append(go_on)
        if len(self._waiting) == 1:
            self._wanted_s = self._clock()
            self._take()

    def _look_later(self) -> None:
        """The engine may still rest after a while, because the reader holds the text back; or be held."""
        if (self._engine_rests or self._held) and self._timer is None:
            self._timer = self._later(self._admission.limits.place_idle_s, self._look)

    def _look(self) -> None:
        """Gives the place back, unless it is used, or text has come just now."""
        self._stop_timer()
        if not self._taken or not (self._engine_rests or self._held):
            return
        now_s = self._clock()
        left_s = self._active_s + self._admission.limits.place_idle_s - now_s
        if left_s > 0:
            self._timer = self._later(left_s, self._look)
            return
        self._taken = False
        self._holding.resize(0)
        self._admission.rest(self._name, now_s)

    def _take(self) -> None:
        self._timer = None
        now_s = self._clock()
        refused = self._refusal(now_s)
        if refused is None:
            self._taken = True
            waiting, self._waiting = self._waiting, []
            for go_on in waiting:
                go_on()
            self._look_later()
        elif self._heard and now_s - self._wanted_s < self._admission.limits.ttfa_s:
            self._timer = self._later(_ASK_AGAIN_S, self._take)
        else:
            self._on_refused(refused)

    def _refusal(self, now_s: float) -> Failed | None:
        """Takes the place, or says why not."""
        try:
            self._holding.resize(1)
        except Exceeded as exceeded:
            return Failed(self._name, exceeded.error.code, str(exceeded))
        refusal = self._admission.come_back(self._name, now_s, waits=self._heard)
        if refusal is None:
            return None
        self._holding.resize(0)
        return Failed(self._name, "overloaded", refusal.text, refusal.retry_after_s)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _ignore(refused: Failed) -> None: ...
