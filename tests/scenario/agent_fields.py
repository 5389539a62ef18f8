"""An agent with every field that matters, and another value for each: what tests change."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

Fields = dict[str, Any]

AGENT: Fields = {
    "latency": {
        "kind": "tokens",
        "base_s": 2.0,
        "output_s_per_1k": 9.0,
        "uncached_s_per_1k": 0.7,
        "cached_s_per_1k": 0.1,
        "residual": {"kind": "lognormal", "median": 1.0, "sigma": 0.3},
    },
    "family": "x",
    "batch": 2,
    "tokens": {
        "output": {"kind": "exponential", "mean": 300.0},
        "per_work_unit": 50.0,
        "message": 120.0,
    },
    "context": {
        "system_tokens": 900,
        "start_tokens": 2000,
        "turn_tokens": 300,
        "board_tokens_per_task": 7,
        "artifact_tokens": 11,
    },
    "errors": {"probability": 0.3, "detection": 0.6},
    "price": {"input_per_mtok": 3.0, "output_per_mtok": 15.0, "cached_input_per_mtok": 0.3},
}
LOOP: Fields = {
    "loop": {"turns": {"kind": "uniform", "low": 1, "high": 7}},
    "tools": {
        "search": {"probability": 0.7, "seconds": 2.0, "result_tokens": 200},
        "ci": {"probability": 0.5, "seconds": 5.0, "result_tokens": 500, "station": "ci"},
    },
}
WEIGHTS: Fields = {
    "loop": {"turns": {"kind": "uniform", "low": 1, "high": 7}},
    "tools": {"edit": {"weight": 1.0, "seconds": 2.0}, "test": {"weight": 2.0, "seconds": 9.0}},
}
WINDOW: Fields = {"context": {"window_tokens": 5000}}
CACHE: Fields = {"context": {"cache": {"life_s": 15.0, "min_tokens": 1000}}}
DRIFT: Fields = {"drift": {"step": 0.2, "slowdown": 0.5}}
RISE: Fields = {"shape": "logistic", "height": 2.0, "knee": 0.02, "width": 0.05}
DOUBLING: Fields = {"shape": "doubling", "height": 0.5, "from_tokens": 1000}


def merged(fields: Fields, over: Mapping[str, Any]) -> Fields:
    """Return fields with others over them; another kind of plugin takes the place of all."""
    result = copy.deepcopy(fields)
    for key, value in over.items():
        old = result.get(key)
        both = isinstance(value, dict) and isinstance(old, dict)
        if both and value.get("kind", old.get("kind")) == old.get("kind"):
            result[key] = merged(old, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def at(path: str, value: Any) -> Fields:
    """Return the fields in which a dotted path has a value."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


_RISING = {"context": {"error": RISE, "slowdown": RISE}}
_DOUBLING = {"context": {"error": DOUBLING, "slowdown": DOUBLING}}
_LINEAR = {"shape": "linear", "height": 90.0}
_IDLE = {"behaviour": {"idle": 0.3}}
_LEAVES = {
    "batch": 9,
    "behaviour": {"blind_calls": 1.0, "leave_drafts": 0.4},
    "errors": {"probability": 0.8, "detection": 1.0},
}
_WRONG = {"errors": {"probability": 0.7, "detection": 0.0}}
_SLOW = {"faults": {"slow": {"probability": 0.5}}}
_CRASH = {"faults": {"crash": {"up_s": 25.0, "repair_s": 5.0}}}
_ONE_BY_ONE = {"one_by_one": {"probability": 0.5, "growth": 2.0}}
_SLOW_RUNS = {"kind": "lognormal", "median": 1, "sigma": 0.1, "run_sigma": 1}
_FORGETS = {"forgetting": {"probability": {"probability": 0.4}, "notice": 0.3}}
_ASKS = merged(LOOP, {"tools": {"ask": {"probability": 0.6, "starts": {"agent": "helper"}}}})

CHANGES: tuple[tuple[str, Fields, Any], ...] = (
    ("latency.output_s_per_1k", {}, 40.0),
    ("speed", {}, 2.0),
    ("family", {"errors": {"difficulty_correlation": 0.5}}, "y"),
    ("batch", {}, 1),
    ("first_batch", {}, 1),
    ("batch_persistence", {"batch": {"kind": "uniform", "low": 1, "high": 4}}, 0.5),
    ("one_by_one", {}, {"probability": 0.5}),
    ("one_by_one.probability", {"one_by_one": {"probability": 0.1}}, 0.9),
    ("one_by_one.at_tasks", _ONE_BY_ONE, 2),
    ("one_by_one.growth", _ONE_BY_ONE, 0.0),
    ("capacity", {}, 1.5),
    ("capacity_elasticity", {"capacity": 1.5, "latency": {"residual": _SLOW_RUNS}}, 1.0),
    ("truncation_loss", {"capacity": 1.5}, 0.5),
    ("redo_work", {}, 0.4),
    ("tokens.output", {}, 800.0),
    ("tokens.per_work_unit", {}, 500.0),
    ("tokens.message", {}, 700.0),
    ("tokens.relay", {}, 0.7),
    ("tokens.max_tokens", {}, 30_000),
    ("context.system_tokens", {}, 4000),
    ("context.start_tokens", {}, 9000),
    ("context.turn_tokens", {}, 2000),
    ("context.first_turn_tokens", {}, 5000),
    ("context.request_tokens", {}, 3000),
    ("context.retention", {}, 0.5),
    ("context.board_tokens_per_task", {}, 100),
    ("context.artifact_tokens", {}, 900),
    ("context.window_tokens", {}, 5000),
    ("context.overflow", WINDOW, "truncate"),
    ("context.compaction", WINDOW, 0.6),
    ("context.compaction_output", WINDOW, 1.0),
    ("context.loss", merged(WINDOW, DRIFT), 1.0),
    ("context.cache", {}, False),
    ("context.cache.life_s", CACHE, 100.0),
    ("context.cache.write_price_factor", CACHE, 2.0),
    ("context.cache.min_tokens", CACHE, 6000),
    ("context.cache.warm_tokens", CACHE, 2000),
    ("context.cache_miss", {}, 0.5),
    ("context.error", {}, _LINEAR),
    ("context.error.shape", _DOUBLING, "linear"),
    ("context.error.height", _RISING, 0.5),
    ("context.error.knee", _RISING, 0.5),
    ("context.error.width", _RISING, 0.5),
    ("context.error.from_tokens", _DOUBLING, 3000),
    ("context.slowdown", {}, _LINEAR),
    ("context.slowdown.shape", _DOUBLING, "linear"),
    ("context.slowdown.height", _RISING, 0.5),
    ("context.slowdown.knee", _RISING, 0.5),
    ("context.slowdown.width", _RISING, 0.5),
    ("context.slowdown.from_tokens", _DOUBLING, 3000),
    ("drift.step", DRIFT, 0.5),
    ("drift.per_1k_tokens", DRIFT, 0.1),
    ("drift.sync", merged(DRIFT, WINDOW), 0.9),
    ("drift.error_logit", DRIFT, 3.0),
    ("drift.idle_logit", merged(DRIFT, _IDLE), 1.0),
    ("drift.slowdown", DRIFT, 2.0),
    ("behaviour.idle", {}, 0.4),
    ("behaviour.idle.run_sigma", {"behaviour": {"idle": {"probability": 0.3}}}, 2.0),
    ("behaviour.idle.agent_sigma", {"behaviour": {"idle": {"probability": 0.3}}}, 2.0),
    ("behaviour.idle_first", {}, 0.9),
    ("behaviour.idle_persistence", _IDLE, 0.8),
    ("behaviour.deference", {}, 0.8),
    ("behaviour.talk", {}, 0.2),
    ("behaviour.chatter", _IDLE, 0.7),
    ("behaviour.dependency_blindness", {}, 0.6),
    ("behaviour.blind_calls", {}, 0.6),
    ("behaviour.claim_blindness", {}, 0.6),
    ("behaviour.leave_drafts", {"behaviour": {"blind_calls": 0.6}}, 0.7),
    ("behaviour.leaving_persistence", _LEAVES, 0.9),
    ("behaviour.preference_correlation", {}, 0.8),
    ("forgetting", {}, {"probability": 0.5}),
    ("forgetting.probability", _FORGETS, 0.9),
    ("forgetting.probability.run_sigma", _FORGETS, 2.0),
    ("forgetting.probability.agent_sigma", _FORGETS, 2.0),
    ("forgetting.claims_logit", _FORGETS, -3.0),
    ("forgetting.depth_logit", _FORGETS, -3.0),
    ("forgetting.waiting_logit", _FORGETS, -3.0),
    ("forgetting.team_logit", _FORGETS, -3.0),
    ("forgetting.all_or_nothing", _FORGETS, 1.0),
    ("forgetting.notice", _FORGETS, 0.9),
    ("forgetting.all_claimed_logit", _FORGETS, 5.0),
    ("errors.probability", {}, 0.6),
    ("errors.probability.run_sigma", {"errors": {"probability": {"probability": 0.3}}}, 2.0),
    ("errors.probability.agent_sigma", {"errors": {"probability": {"probability": 0.3}}}, 2.0),
    ("errors.detection", {}, 0.1),
    ("errors.propagation", {}, 0.2),
    ("errors.hand_off", {}, 0.5),
    ("errors.difficulty_correlation", {}, 0.5),
    ("errors.common_mode", {}, 0.8),
    ("errors.call_correlation", {}, 0.8),
    ("errors.wrong_answers.options", _WRONG, 5),
    ("errors.wrong_answers.shared", merged(_WRONG, at("errors.wrong_answers.options", 9)), 0.9),
    ("errors.max_attempts", {}, 1),
    ("price.input_per_mtok", {}, 30.0),
    ("price.cached_input_per_mtok", {}, 3.0),
    ("price.cache_write_per_mtok", CACHE, 5.0),
    ("price.cache_write_1h_per_mtok", {"context": {"cache": {"life_s": 3600.0}}}, 9.0),
    ("price.output_per_mtok", {}, 150.0),
    ("faults.slow", {}, {"probability": 0.5}),
    ("faults.slow.probability", _SLOW, 0.9),
    ("faults.slow.factor", _SLOW, 3.0),
    ("faults.stall", {}, 0.3),
    ("faults.malformed", {}, 0.9),
    ("faults.crash", {}, {"up_s": 25.0}),
    ("faults.crash.up_s", _CRASH, 10.0),
    ("faults.crash.repair_s", _CRASH, 50.0),
    ("faults.crash.keeps_context", _CRASH, True),
    ("faults.byzantine", {}, {"probability": 1.0}),
    ("faults.byzantine.probability", {"faults": {"byzantine": {"probability": 0.01}}}, 1.0),
    ("faults.byzantine.manner", {"faults": {"byzantine": {}}}, "silent"),
    ("loop", {}, {"turns": 3.0}),
    ("loop.turns", LOOP, 1.0),
    ("loop.end_probability", {"loop": {"end_probability": 0.5}}, 0.1),
    ("loop.work_per_turn", {"loop": {"work_per_turn": 0.5}}, 0.1),
    ("loop.max_turns", LOOP, 2),
    ("loop.at_limit", merged(LOOP, {"loop": {"max_turns": 2}}), "give_up"),
    ("loop.reads_messages", LOOP, "loop"),
    ("tools.search.probability", LOOP, 0.1),
    ("tools.search.calls", LOOP, 3.0),
    ("tools.search.seconds", LOOP, 20.0),
    ("tools.search.result_tokens", LOOP, 4000),
    ("tools.search.errors", LOOP, 0.9),
    ("tools.search.timeout_s", LOOP, 1.0),
    ("tools.search.background", LOOP, True),
    ("tools.search.sequential", LOOP, True),
    ("tools.search.station", LOOP, "ci"),
    ("tools.edit.weight", WEIGHTS, 30.0),
    ("tools.ci.priority", merged(LOOP, {"tools": {"search": {"station": "ci"}}}), 5),
    ("tools.ask", LOOP, _ASKS["tools"]["ask"]),
    ("tools.ask.wait_for", merged(_ASKS, {"tools": {"ask": {"calls": 2}}}), "any"),
    ("tools.ask.starts.agent", _ASKS, "other"),
    ("tools.ask.starts.context", _ASKS, "forked"),
    ("tools.ask.starts.work", _ASKS, 9.0),
)
"""Every field of an agent, with what must be there for it to matter, and another value."""
