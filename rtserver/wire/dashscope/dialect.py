"""DashScope's `/api-ws/v1/inference`, as CosyVoice's cloud service speaks it.

> run-task           opens a task: voice, format, speed
> continue-task      text of it, or `flush`
> finish-task        no more text follows, or with the directive `cancel` nothing more is spoken
< task-started
< result-generated   sentence-begin; sentence-synthesis before each binary frame of sound; sentence-end
< task-finished      the next task may come
< task-failed        and the socket closes

A socket has one task at a time. One without a task is closed after a minute: the connection pool of the client opens a
new socket for each idle one every half minute, and never closes the old one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import WSCloseCode, web

from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.errors import error_message
from rtserver.session.ids import new_utterance_id
from rtserver.session.outbox import Closing, WsFrame
from rtserver.session.start_request import RequestError, check_name
from rtserver.wire.dashscope.errors import error_code, error_text, http_error
from rtserver.wire.dashscope.messages import TaskMessage, message_of
from rtserver.wire.dashscope.request import TaskOffer
from rtserver.wire.dashscope.sentences import Sentences
from rtserver.wire.dialect import Action, Dialect, Handshake
from rtserver.wire.first_text import is_enough


@dataclass
class _Task:
    """A task from run-task until it is over."""

    # What opens its context, without text. The context has the name of the task.
    start: wire.Start
    sentences: Sentences
    # Its text so far, without spaces before it.
    text: str = ""
    opened: bool = False
    # Whether all its text has come.
    ended: bool = False

    @property
    def name(self) -> str:
        return self.start.context


class TaskDialect(Dialect[TaskMessage]):
    """One socket."""

    idle_s = 60.0

    def __init__(self, handshake: Handshake, *, offer: TaskOffer) -> None:
        super().__init__(handshake)
        self._offer = offer
        self._task: _Task | None = None
        self._last = ""  # the name of the last task that is over

    def refusal(self, error: wire.Error) -> web.Response | None:
        return http_error(error)

    # -- in ---------------------------------------------------------------------------------------------------------

    def decode(self, frame: WsFrame) -> TaskMessage:
        try:
            return message_of(frame)
        except (ValueError, RecursionError) as error:
            raise MessageError("bad_message", str(error)[:300]) from error

    def take(self, message: TaskMessage) -> Sequence[Action]:
        header, task = message.header, self._task
        if header.action == "run-task":
            return self._run(message)
        if task is None or task.name != header.task_id:
            if header.task_id == self._last:  # the client may have sent it before it knew that the task is over
                return ()
            what = f"task_id: expected a task that runs, found {header.task_id[:60]!r:.60}"
            return (_failed(error_message("unknown_context", what, header.task_id)),)
        if header.action == "continue-task":
            return self._continue(task, message.payload.input.text, flushes=message.payload.input.flush)
        if message.payload.input.directive == "cancel":
            return (wire.Cancel(task.name),) if task.opened else self._finish(task)
        return self._continue(task, "", ends=True)

    def _run(self, message: TaskMessage) -> Sequence[Action]:
        name, asked = message.header.task_id, message.payload.parameters
        if self._task is not None:
            what = f"task_id: expected the end of task {self._task.name[:60]!r:.60} before another one"
            return (_failed(error_message("bad_message", what, name)),)
        try:
            check_name("task_id", name)  # it comes back in every message, also of no speech
            start = self._offer.start(asked, name)
        except RequestError as error:
            # The session answers it as it answers a start that is no message.
            return (MessageError(error.code, str(error), {"type": "start", "context": name}),)
        self._task = _Task(start, Sentences(tells_times=asked.word_timestamp_enabled))
        text, is_whole = message.payload.input.text, message.header.streaming not in ("duplex", "in")
        return (_event("task-started", name), *self._continue(self._task, text, ends=is_whole))

    def _continue(self, task: _Task, text: str, *, flushes: bool = False, ends: bool = False) -> Sequence[Action]:
        """More text, a flush, or the end of the text."""
        if task.ended:
            return ()
        task.ended = ends
        if not task.text:
            text = text.lstrip()
        task.text += text
        task.sentences.add(text)
        if flushes:
            task.sentences.cut()
        flush = (wire.Flush(task.name),) if flushes else ()
        if task.opened:
            more = (wire.Text(text, task.name),) if text else ()
            return (*more, *flush, *((wire.End(task.name),) if ends else ()))
        if is_enough(task.text, flushes or ends):
            task.opened = True
            return (replace(task.start, text=task.text, end=ends), *flush)
        return self._finish(task) if ends else ()

    def _finish(self, task: _Task) -> Sequence[Action]:
        self._task, self._last = None, task.name
        usage = {"characters": task.sentences.characters}
        return (_event("task-finished", task.name, {"output": {}, "usage": usage}, request_uuid=new_utterance_id()),)

    # -- out --------------------------------------------------------------------------------------------------------

    def tell(self, message: wire.ServerMessage) -> Sequence[Action]:
        if isinstance(message, wire.Error):
            return self._fail(message)
        task = self._task
        if task is None or isinstance(message, wire.Ready | wire.Pong) or message.context != task.name:
            return ()
        match message:
            case wire.Mark():
                return _results(task, task.sentences.word(message))
            case wire.Audio(data=data) if data:
                return (*_results(task, task.sentences.sound()), data)
            case wire.Flushed():
                return _results(task, task.sentences.end())
            case wire.Done():
                return (*_results(task, task.sentences.end()), *self._finish(task))
            case wire.Cancelled():
                return self._finish(task)
        return ()

    def _fail(self, error: wire.Error) -> Sequence[Action]:
        """An error of the task, or of the socket. The socket closes."""
        task, self._task = self._task, None
        name = error.context or ("" if task is None else task.name)
        if not name and error.code == "idle_timeout":
            return ()
        return (_failed(replace(error, context=name)), Closing(WSCloseCode.OK, error_code(error)))


def _results(task: _Task, told: Sequence[dict[str, Any]]) -> Sequence[str]:
    return [_event("result-generated", task.name, payload) for payload in told]


def _failed(error: wire.Error) -> str:
    """Of the task that the error is about."""
    told = {"error_code": error_code(error), "error_message": error_text(error)}
    header = {"task_id": error.context, "event": "task-failed", **told, "attributes": {"request_uuid": error.id}}
    return json.dumps({"header": header, "payload": {}})


def _event(kind: str, name: str, payload: dict[str, Any] | None = None, **attributes: str) -> str:
    header = {"task_id": name, "event": kind, "attributes": attributes}
    return json.dumps({"header": header, "payload": payload or {}})
