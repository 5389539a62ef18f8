"""Published benchmarks of single models and of their answers, and what teams gain on easy work."""

from __future__ import annotations

import math

from scipy.stats import beta

from tests.conftest import agent, run, runs
from tests.validation.rows import (
    Above,
    Between,
    Case,
    Found,
    Row,
    Tolerance,
    less,
    mean,
    over,
    share,
)
from tests.validation.teams import SCALING, coupled_work

LENGTHS = "NoLiMa, arXiv 2502.05167, table of the project's page"
SAMPLES = "arXiv 2203.11171, abstract"
MORE_AGENTS = "arXiv 2402.05120, as reported by others"

# Shares right at 2 and at 32 thousand tokens, which the two parameters of a model are set by.
ENDS = {
    "GPT-4o": (0.980, 0.697),
    "Claude 3.5 Sonnet": (0.840, 0.298),
    "Llama 3.3 70B": (0.874, 0.427),
}


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


def right_at(model: str, thousands: int) -> Found:
    """Return the share of tasks right that are asked in a prompt of so many thousand tokens."""
    short, long = ENDS[model]
    tasks = 10_000
    height = (_logit(short) - _logit(long)) / 4  # from 2 to 32 it doubles four times
    found = run(
        team__agent=agent(
            tokens={"output": 0},
            errors={"probability": 1 - short, "detection": 0},
            context={
                "system_tokens": 1000 * thousands,
                "board_tokens_per_task": 0,
                "retention": 0,
                "error": {"shape": "doubling", "height": height, "from_tokens": 2000},
            },
            batch=1,
        ),
        workload__tasks=tasks,
        limits__max_calls=2 * tasks,
    )
    return share(found.tasks_correct, tasks)


def most_frequent_right(answers: int, options: int, tasks: int = 500) -> Found:
    """Return the share of tasks of which the most frequent of so many answers is right.

    Tasks differ in difficulty: chances of an answer to be right are beta-distributed, with the
    published mean of one answer and a correlation of 0.4, at evenly spaced quantiles, the same in
    each of eight runs.
    """
    mean_right, both = 0.565, 1 / 0.4 - 1
    quantiles = [(i + 0.5) / tasks for i in range(tasks)]
    chances = beta.ppf(quantiles, mean_right * both, (1 - mean_right) * both).clip(1e-6, 1 - 1e-6)
    listed = [{"id": str(i), "difficulty": -_logit(chance)} for i, chance in enumerate(chances)]
    wrong = {"detection": 0, "probability": 0.5, "wrong_answers": {"options": options}}
    found = runs(
        8,
        team__size=answers,
        team__agent=agent(errors=wrong, batch=500),
        workload={"kind": "dag", "tasks": listed},
        coordination={
            "protocol": {"kind": "replicate_and_vote", "replicas": answers},
            "idle_agents": "wait",
        },
    )
    return mean(m.tasks_correct / tasks for m in found)


def reached_by(answers: int, options: int) -> Found:
    """Return which share of what forty answers gain so many have gained."""
    alone, some, most = (most_frequent_right(k, options, 1500) for k in (1, answers, 40))
    gain = most.value - alone.value
    reached = (some.value - alone.value) / gain
    error = math.hypot(some.error, (1 - reached) * alone.error, reached * most.error) / gain
    return Found(reached, error)


def gain_of_a_team() -> Found:
    """Return the quality of four agents, over that of one, at work that is not coupled."""
    one, four = (mean(m.quality for m in coupled_work(n, True, 0.0, 150)) for n in (1, 4))
    ratio = over(four, one)
    return Found(ratio.value - 1, ratio.error)


def cost_without_a_lead() -> Found:
    """Return the cost of a team that claims tasks on a blackboard over that of a lead's team."""
    kinds = (("blackboard", "self_claim"), ("centralised", "lead_assign"))
    board, lead = (
        mean(
            m.cost_usd
            for m in runs(
                200,
                team={
                    "size": 4,
                    "agent": agent(
                        tokens={"output": 600, "per_work_unit": 600, "message": 200},
                        errors={"probability": 0.1},
                        price={"input_per_mtok": 3, "output_per_mtok": 15},
                        batch=1,
                    ),
                },
                topology=topology,
                coordination={"protocol": protocol, "timing": "asynchronous"},
                workload={"kind": "parallel_fraction", "tasks": 20, "parallel_fraction": 0.7},
            )
        )
        for topology, protocol in kinds
    )
    return over(board, lead)


def gain_by_tools(tools: int) -> Found:
    """Return the quality of an agent with so many tools less that of one with one tool."""

    def quality(count: int) -> Found:
        named = {f"tool-{i}": {"seconds": 1, "result_tokens": 100} for i in range(count)}
        found = runs(
            200,
            team__agent=agent(
                tools=named, loop={"turns": 3}, errors={"probability": 0.3, "detection": 0}
            ),
        )
        return mean(m.quality for m in found)

    return less(quality(tools), quality(1))


ROWS = [
    Row(
        key="context-length",
        name="Accuracy falls with the length of the prompt",
        law="Answers that need an inference from one passage of a long text. Base rate and loss of "
        "a doubling are set by the shares at 2,000 and at 32,000 tokens; the lengths between "
        "follow.",
        source=LENGTHS,
        measure=right_at,
        cases=[
            Case(f"{model}, {thousands}K", asked, (model, thousands))
            for model, shares in {
                "GPT-4o": {1: 0.981, 4: 0.957, 8: 0.892, 16: 0.816},
                "Llama 3.3 70B": {4: 0.815, 8: 0.721, 16: 0.595},
                "Claude 3.5 Sonnet": {1: 0.854, 4: 0.776, 8: 0.617, 16: 0.457},
            }.items()
            for thousands, asked in shares.items()
        ],
        tolerance=Tolerance(absolute=0.04),
        note="The logit of an error grows by a constant with each doubling.",
    ),
    Row(
        key="context-length-short",
        name="Accuracy at the shortest prompt",
        law="The same at 1,000 tokens, of the model that loses most from there to 2,000: 0.942.",
        source=LENGTHS,
        measure=right_at,
        cases=[Case("Llama 3.3 70B, 1K", 0.942, ("Llama 3.3 70B", 1))],
        tolerance=Tolerance(absolute=0.04),
        not_reached="The loss begins at 2,000 tokens here, so that at 1,000 the share is what it "
        "is there, 0.874.",
    ),
    Row(
        key="self-consistency",
        name="The most frequent of forty answers",
        law="Of one answer 56.5 % are right, of the most frequent of forty 74.4 %.",
        source=f"{SAMPLES}, PaLM-540B on GSM8K",
        measure=most_frequent_right,
        cases=[
            Case("one answer", 0.565, (1, 3)),
            Case("forty answers", 0.744, (40, 3)),
        ],
        tolerance=Tolerance(absolute=0.03),
        note="The correlation of 0.4 is that of another benchmark (tau-bench); that a task has "
        "three wrong answers which are equally likely is assumed.",
    ),
    Row(
        key="answers-level-off",
        name="More answers gain less and less",
        law="After ten to twenty answers the curve is flat: twenty gain nearly what forty do.",
        source=MORE_AGENTS,
        measure=reached_by,
        cases=[Case("share of the gain, three wrong answers", 1, (20, 3), slow=True)],
        tolerance=Between(0.85, 1.05),
        note="As in the row before.",
        thorough=True,
    ),
    Row(
        key="small-gains",
        name="Work at a computer and on the web gains little by a team",
        law="Success of teams over that of one agent, less 1: 5.7, -1.2, -1.2, 9.2 and 0.2 %.",
        source=f"{SCALING}, table of benchmarks, Workbench and BrowseComp-Plus",
        measure=gain_of_a_team,
        cases=[Case("four agents", 0.0254)],
        tolerance=Tolerance(absolute=0.0195),
        note="Asked is the mean of the five published values, and 0.0195 its standard error. Work "
        "without coupling; contexts degrade as in the rows on equal budgets.",
    ),
    Row(
        key="no-lead",
        name="A blackboard costs half of a lead",
        law="Agents who claim tasks on a blackboard cost half of what a lead's team does.",
        source="arXiv 2606.10662, abstract: up to",
        measure=cost_without_a_lead,
        cases=[Case("cost over a lead's", 0.5)],
        tolerance=Tolerance(share=0.15),
        not_reached="What is saved here are the calls of the lead, a third of the cost. That "
        "workers read less, as results are shared in short form, is an assumption about prompts "
        "which a scenario can make and this one does not.",
    ),
    Row(
        key="tools-help",
        name="Agents with more tools succeed more often",
        law="The coefficient of log(1 + tools) is above 0 (standardised 0.41, 95 % interval 0.29 "
        "to 0.53).",
        source=f"{SCALING}, regression",
        measure=gain_by_tools,
        cases=[Case("quality with 16 tools less that with one", 0, (16,))],
        tolerance=Above(),
        not_reached="A tool takes time and tokens and may fail; which tasks need which tool is "
        "not modelled, so that more of them make no agent abler. A scenario says it by the "
        "probability of an error.",
    ),
]
