"""The figures of a load: percentiles over its turns, and totals, as plain values and as lines to read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from bench.load.calls.callers import Load
from bench.load.calls.talking import Heard
from bench.load.turn import percentile

PERCENTS = (50, 90, 95, 99)
STAGES = ("text_wait", "queue", "talker", "flow", "vocoder", "ttfa_from_text")
_FEWEST_FOR_RATIO = 5  # turns that must have been spoken to their end for the length ratio of a language
_SHOWN_ERRORS = 80  # characters


def summarise(load: Load) -> dict[str, Any]:
    """The results of the turns that began within the window. Milliseconds and seconds; None for figures that were not
    measured."""
    plan, turns = load.plan, load.measured
    accepted = [t for t in turns if t.accepted]
    outcomes = Counter(t.outcome for t in turns)
    ratios = length_ratios(turns)
    return {
        "measured": True,
        **plan.described(),
        "length_ratio": {language: round(ratio, 3) for language, ratio in ratios.items()},
        "offered_audio_per_s": round(plan.offered(ratios), 3),
        "sustained_audio_per_s": round(load.audio_s / plan.workload.seconds, 3),
        "turns": len(turns),
        **{outcome: outcomes[outcome] for outcome in ("done", "cancelled", "refused", "failed", "cut")},
        "refused_share": _share(outcomes["refused"], len(turns)),
        "continuity": _share(sum(t.continuous for t in accepted), len(accepted)),
        "ttfa_ms": spread((t.ttfa_s for t in accepted), 1000),
        "ttfa_request_ms": spread((t.ttfa_request_s for t in accepted), 1000),
        "connect_ms": spread((t.connect_s for t in turns), 1000),
        "text_wait_ms": spread(t.timings.get("text_wait") for t in accepted),
        "deficit_ms": spread((t.deficit_s for t in accepted if t.audio_s), 1000),
        "underruns": sum(t.underruns for t in accepted),
        "underrun_turns": sum(t.underrun_s > 0.001 for t in accepted),
        "underrun_s": round(sum(t.underrun_s for t in accepted), 3),
        "text_starved_s": round(sum(t.starved_s for t in accepted), 3),
        "realtime_factor": spread((t.realtime_factor for t in accepted), digits=3),
        "refusal_ms": spread((t.answer_s for t in turns if t.outcome == "refused"), 1000),
        "barge_in": _barge_in(turns) | {"late_frames": load.late_frames},
        "stages_ms": {stage: spread(t.timings.get(stage) for t in accepted) for stage in STAGES},
        "cpu_cores": {part: round(cores, 3) for part, cores in load.cpu_cores.items()},
        "server_lag_ms": load.server_lag_ms,
        "client_lag_ms": round(load.client_lag_ms, 1),
        "errors": dict(Counter((t.error or "")[:_SHOWN_ERRORS] for t in turns if t.outcome == "failed")),
    }


def _barge_in(turns: Sequence[Heard]) -> dict[str, Any]:
    """Interruptions while the server spoke, and those that came after it had sent everything."""
    wasted = [t.wasted_s for t in turns if t.wasted_s is not None]
    unheard = [t.unheard_s for t in turns if t.unheard_s is not None]
    return {
        "cancel_ms": spread((t.cancel_s for t in turns), 1000),
        "wasted_s": spread(wasted, digits=3),
        "wasted_s_per_cancel": _share(sum(wasted), len(wasted)),
        "after_done": len(unheard),
        "unheard_s_after_done": round(sum(unheard), 3),
        "wasted_s_per_barge_in": _share(sum(wasted) + sum(unheard), len(wasted) + len(unheard)),
    }


def length_ratios(turns: Iterable[Heard]) -> dict[str, float]:
    """By language: the length of replies divided by their expected length."""
    whole = [t for t in turns if t.outcome == "done"]
    ratios = {}
    for language in sorted({t.language for t in whole}):
        spoken = [t for t in whole if t.language == language]
        if len(spoken) >= _FEWEST_FOR_RATIO:
            ratios[language] = sum(t.audio_s for t in spoken) / sum(t.expected_s for t in spoken)
    return ratios


def spread(values: Iterable[float | None], factor: float = 1, digits: int = 1) -> dict[str, float | None]:
    """Percentiles by nearest rank."""
    known = [v * factor for v in values if v is not None]
    return {f"p{p}": round(percentile(known, p), digits) if known else None for p in PERCENTS}


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def lines(summary: dict[str, Any]) -> list[str]:
    """The summary as lines to read."""
    s, barge = summary, summary["barge_in"]
    stages = ", ".join(f"{stage} {_ms(values['p50'])}" for stage, values in s["stages_ms"].items())
    cores = ", ".join(f"{part} {cores:.2f}" for part, cores in s["cpu_cores"].items())
    unit = "calls a minute" if s["loop"] == "open" else "talkers"
    text = [
        f"{s['load']:g} {unit} (measured): offered {s['offered_audio_per_s']:.2f}, sustained "
        f"{s['sustained_audio_per_s']:.2f} audio seconds a second; {s['turns']} turns: {s['done']} done, "
        f"{s['cancelled']} cancelled, {s['refused']} refused, {s['failed']} failed, {s['cut']} cut",
        f"TTFA {_row(s['ttfa_ms'])}; from the request {_row(s['ttfa_request_ms'])}",
        f"continuity {_percent(s['continuity'])}; worst deficit {_row(s['deficit_ms'])}; {s['underruns']} underruns in "
        f"{s['underrun_turns']} turns, {s['underrun_s']:.2f} s; text starved {s['text_starved_s']:.2f} s",
        f"medians of the server's timings, ms: {stages}",
    ]
    if s["refused"]:
        text.append(f"refused {_percent(s['refused_share'])}, answered after {_row(s['refusal_ms'])}")
    if s["cancelled"] or barge["after_done"]:
        text.append(
            f"cancel answered after {_row(barge['cancel_ms'])}, {_s(barge['wasted_s_per_cancel'])} wasted for each, "
            f"{barge['late_frames']} late frames; {barge['after_done']} interruptions came after all was sent; "
            f"{_s(barge['wasted_s_per_barge_in'])} unheard for each interruption"
        )
    lag = "-" if s["server_lag_ms"] is None else f"{s['server_lag_ms']:.1f}"
    text.append(f"cores: {cores}; worst loop lag: server {lag} ms, this client {s['client_lag_ms']:.1f} ms")
    return text + [f"error, {count} times: {error}" for error, count in s["errors"].items()]


def _ms(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.0f}"


def _s(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _row(values: dict[str, float | None]) -> str:
    return " / ".join(_ms(values[f"p{p}"]) for p in PERCENTS) + " ms"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
