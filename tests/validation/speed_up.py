"""How much faster teams are than one agent, where theory says it."""

from __future__ import annotations

import itertools
from typing import Any

import networkx as nx
import numpy as np

from analysis.statistics.law_fits import fit_law
from analysis.statistics.laws import usl_peak, usl_speedup
from simulator.engine import Simulation
from simulator.model.streams import Streams
from simulator.scenario.families import TOPOLOGIES
from tests.conftest import agent, exponential, run, runs, scenario
from tests.validation.laws import repairman
from tests.validation.rows import ONE_PERCENT, Case, Found, Row, Tolerance, controlled

CLAIMED: dict[str, Any] = {"kind": "self_claim", "claims": "immediate", "choice": "first"}
BY_WORK: dict[str, Any] = agent(latency={"kind": "seconds", "per_work_unit_s": 1})
TALKS = agent(behaviour={"talk": 1})

# Longest chains of the task lists of arXiv 2603.12229; what their unit tasks take with n agents.
CHAINS = {0.9: 2, 0.5: 10, 0.2: 16}
LISTED = {0.9: (20, 10, 7, 5, 4), 0.5: (20, 10, 10, 10, 10), 0.2: (20, 16, 16, 16, 16)}
DEALT = {0.9: (20, 11, 8, 6, 5), 0.5: (20, 15, 13, 12, 12), 0.2: (20, 18, 17, 17, 16)}


def chain_beside_others(p: float, n: int, protocol: Any) -> Found:
    """Return the rounds of n agents for a chain beside independent tasks, 20 together."""
    tasks: list[dict[str, Any]] = [{"id": f"t{i}"} for i in range(20)]
    for i in range(1, CHAINS[p]):
        tasks[i]["dependencies"] = [f"t{i - 1}"]
    m = run(team__size=n, workload={"kind": "dag", "tasks": tasks}, coordination__protocol=protocol)
    return Found(m.makespan_s)


def handed_over(overhead_s: float, delay_s: float) -> Found:
    """Return the seconds from the end of an agent's work until the next one's work begins.

    The first writes a message, which takes `overhead_s` as to read it does; the network takes
    `delay_s`. Nobody hears the last.
    """
    per_1k = 1000 * overhead_s / 100
    seconds = {"output_s_per_1k": per_1k, "uncached_s_per_1k": per_1k, "cached_s_per_1k": 0}
    m = run(
        team={
            "size": 2,
            "agent": agent(
                latency={"kind": "tokens", "base_s": 10, **seconds},
                tokens={"output": 0, "message": 100},
                context={"system_tokens": 0, "board_tokens_per_task": 0},
                behaviour={"talk": 1},
            ),
        },
        topology="pipeline",
        coordination={
            "protocol": {"kind": "pre_assigned", "keep_chains": False},
            "timing": "asynchronous",
        },
        network={"delay_s": delay_s},
        workload={"kind": "pipeline", "items": 1, "stages": 2},
    )
    return Found(m.makespan_s - 20)  # each works for 10 s


def amdahl(p: float, n: int) -> Found:
    """Return the speed-up of n agents when a serial part comes before divisible work."""
    tasks = 2400
    workload = {
        "kind": "parallel_fraction",
        "tasks": tasks,
        "parallel_fraction": p,
        "arrangement": "after",
    }
    m = run(team__size=n, coordination__timing="asynchronous", workload=workload)
    return Found(tasks / m.makespan_s)


def gustafson(p: float, n: int) -> Found:
    """Return the scaled speed-up: the parallel part grows with the team, the serial one does "
    "not."""
    serial, parallel = round(1000 * (1 - p)), n * round(1000 * p)
    workload = {
        "kind": "parallel_fraction",
        "tasks": serial + parallel,
        "parallel_fraction": parallel / (serial + parallel),
        "arrangement": "after",
    }
    fields: dict[str, Any] = {"coordination__timing": "asynchronous", "workload": workload}
    alone, team = run(team__size=1, **fields), run(team__size=n, **fields)
    return Found(alone.makespan_s / team.makespan_s)


def random_dag(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return up to 30 tasks with sizes of 1 to 5, each of which needs up to three earlier ones."""
    tasks = []
    for i in range(int(rng.integers(1, 31))):
        needs = rng.choice(i, size=min(i, int(rng.integers(0, 4))), replace=False) if i else []
        size = int(rng.integers(1, 6))
        tasks.append({"id": f"t{i}", "dependencies": [f"t{j}" for j in needs], "size": size})
    return tasks


def outside_grahams_bounds(protocol: str) -> Found:
    """Return how many of 150 schedules of random graphs are too long or too short to be."""
    rng = np.random.default_rng(17)
    outside = 0
    for _ in range(150):
        tasks, n = random_dag(rng), int(rng.integers(1, 9))
        ends: dict[str, float] = {}
        for task in tasks:
            begins = max((ends[d] for d in task["dependencies"]), default=0.0)
            ends[task["id"]] = begins + task["size"]
        work, span = sum(task["size"] for task in tasks), max(ends.values())
        m = run(
            team={"size": n, "agent": BY_WORK},
            workload={"kind": "dag", "tasks": tasks},
            coordination={
                "timing": "asynchronous",
                "protocol": CLAIMED if protocol == "self_claim" else protocol,
            },
        )
        longest = work / n + (1 - 1 / n) * span if protocol != "pre_assigned" else np.inf
        outside += not max(work / n, span) - 1e-9 <= m.makespan_s <= longest + 1e-9
    return Found(outside)


def outside_the_bound_of_longest_first() -> Found:
    """Return how many of 200 deals, longest first, are too far from the best of all deals."""
    rng = np.random.default_rng(18)
    outside = 0
    for _ in range(200):
        n = int(rng.integers(2, 4))
        sizes = [int(size) for size in rng.integers(1, 21, size=int(rng.integers(1, 8)))]
        best = min(
            max(sum(s for s, who in zip(sizes, deal, strict=True) if who == i) for i in range(n))
            for deal in itertools.product(range(n), repeat=len(sizes))
        )
        m = run(
            team={"size": n, "agent": BY_WORK},
            workload={
                "kind": "dag",
                "tasks": [{"id": str(i), "size": s} for i, s in enumerate(sizes)],
            },
            coordination={
                "protocol": {"kind": "pre_assigned", "deal": "longest_first"},
                "timing": "asynchronous",
            },
        )
        outside += not best <= m.makespan_s <= (4 / 3 - 1 / (3 * n)) * best + 1e-9
    return Found(outside)


def one_by_one(n: int) -> Found:
    """Return the speed-up of n agents whose coordinator answers them one after another.

    They work for 9 s and it answers in 1 s, all exponential; from the ends of runs of two lengths,
    so that the beginning does not count. The work of both sides, whose mean is known, is the
    control.
    """
    protocol = {"protocol": CLAIMED, "timing": "asynchronous"}

    def ends(tasks: int) -> np.ndarray[Any, Any]:
        found = runs(
            10,
            team={
                "size": n,
                "agent": {**TALKS, "latency": exponential(9)},
                "coordinator": {**TALKS, "latency": exponential(1)},
            },
            topology="centralised",
            workload__tasks=tasks,
            coordination=protocol,
        )
        return np.array([(m.makespan_s, m.work_s, m.coordination_s) for m in found])

    first, last = 20 * n, round(20 * n + 3800)
    between = (ends(last) - ends(first)) / (last - first)
    seconds_a_task = controlled(between[:, 0], between[:, 1:], [9.0, 1.0])
    speed = 10 / seconds_a_task.value
    return Found(speed, speed * seconds_a_task.error / seconds_a_task.value)


def all_at_once(n: int) -> Found:
    """Return the speed-up of n agents who work for 9 s and then all ask for an answer of 1 s."""
    m = run(
        team={
            "size": n,
            "agent": {**TALKS, "latency": {"kind": "seconds", "base": 9}},
            "coordinator": {**TALKS, "latency": {"kind": "seconds", "per_work_unit_s": 1}},
        },
        topology="centralised",
        workload__tasks=10 * n,
        coordination={"protocol": "pre_assigned", "review": {"by": "coordinator", "work": 0}},
    )
    return Found(10 * n * (1 + 9) / m.makespan_s)


def barrier_rounds(n: int, per_token_s: float) -> Found:
    """Return the seconds of ten rounds in which n agents work and read what all others wrote.

    Each round they work for 1 to n seconds, write and read messages of 100 tokens, and wait for 3 s
    more until the harness goes on.
    """
    groups = {
        f"g{i}": {
            "size": 1,
            "agent": agent(
                latency={
                    "kind": "tokens",
                    "base_s": i + 1,
                    "uncached_s_per_1k": 1000 * per_token_s,
                    "cached_s_per_1k": 0,
                    "output_s_per_1k": 0,
                },
                tokens={"output": 0, "message": 100},
                behaviour={"talk": 1},
                context={"system_tokens": 0, "board_tokens_per_task": 0, "retention": 0},
            ),
        }
        for i in range(n)
    }
    m = run(
        team={"groups": groups},
        topology="decentralised",
        workload__tasks=10 * n,
        coordination={"protocol": "pre_assigned", "round_overhead_s": 3},
    )
    return Found(m.makespan_s)


def pipeline(items: int, sizes: list[float]) -> Found:
    """Return the seconds of `items` items that pass stages of the given sizes."""
    m = run(
        team={"size": len(sizes), "agent": {**BY_WORK, "behaviour": {"talk": 1}}},
        topology="pipeline",
        workload={"kind": "pipeline", "items": items, "stages": len(sizes), "sizes": sizes},
        coordination={"protocol": "pipeline", "timing": "asynchronous"},
    )
    return Found(m.makespan_s)


def deliveries(topology: Any, n: int) -> Found:
    """Return the deliveries of a round in which n agents talk."""
    m = run(
        team={"size": n, "agent": TALKS},
        topology=topology,
        workload__tasks=2 * n,
        coordination__protocol="pre_assigned",
        limits={"max_rounds": 1},
    )
    return Found(m.deliveries)


def diameter(topology: str, n: int) -> Found:
    """Return the longest of the shortest ways between two agents, whoever speaks on them."""
    graph = TOPOLOGIES.get(topology)().graph(n, np.random.default_rng(1))
    return Found(nx.diameter(graph.to_undirected()))


def hops_until_all_know(topology: str, n: int) -> Found:
    """Return over how many deliveries, one after another, all hear what the first agent says."""
    graph = TOPOLOGIES.get(topology)().graph(n, np.random.default_rng(1))
    return Found(max(nx.single_source_shortest_path_length(graph, 0).values()))


def usl_of(data: str, parameter: str) -> Found:
    """Return a parameter of our fit of the USL to published points, or the largest speed."""
    fit = fit_law("usl", *USL_DATA[data])
    sigma, kappa, scale = (fit.estimates[name] for name in ("sigma", "kappa", "scale"))
    if parameter == "peak":
        return Found(usl_peak(sigma, kappa))
    if parameter == "largest":
        return Found(scale * float(usl_speedup(usl_peak(sigma, kappa), sigma, kappa)))
    return Found(fit.estimates[parameter])


def debate_tokens(n: int, rounds: int, retention: float) -> Found:
    """Return the tokens that n debaters read in so many turns each."""
    m = run(
        team__size=n,
        team__agent=agent(
            behaviour={"talk": 1},
            tokens={"output": 0, "message": 40},
            context={"system_tokens": 700, "board_tokens_per_task": 0, "retention": retention},
        ),
        topology="decentralised",
        workload__tasks=1,
        coordination__protocol={"kind": "debate", "rounds": rounds - 1},
    )
    return Found(m.input_tokens)


def steals_and_time(seed: int, workers: int, width: int) -> tuple[float, float, float, float]:
    """Return seconds, steals, work and span of one run by work stealing."""
    simulation = Simulation(
        scenario(
            seed=seed,
            team={"size": workers, "agent": agent()},
            workload={"kind": "layered", "layers": 24, "width": width, "coupling": 0.3},
            coordination={
                "protocol": {"kind": "work_stealing", "start": "one"},
                "timing": "asynchronous",
            },
        )
    )
    m = simulation.run(0)
    graph = simulation.model.workload.graph(Streams(seed, 0))
    return m.makespan_s, m.steals, graph.total_work, graph.critical_path


# Users and throughput, or processors and speed, of the published examples of R's package usl.
USL_DATA = {
    "specsdm91": (
        (1, 18, 36, 72, 108, 144, 216),
        (64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2),
    ),
    "raytracer": ((1, 4, 8, 12, 16, 20), (20, 78, 130, 170, 190, 200)),
}
USL = {
    "specsdm91": {
        "sigma": 0.02773,
        "kappa": 1.044e-4,
        "scale": 90.0,
        "peak": 96.52,
        "largest": 1884,
    },
    "raytracer": {"sigma": 0.02444, "kappa": 0.00163, "scale": 20.86},
}

ROWS = [
    Row(
        key="list-scheduling",
        name="Published task lists, claimed",
        law="Unit tasks of the lists' shapes, claimed at once: greedy list scheduling.",
        source="task lists of arXiv 2603.12229",
        measure=lambda p, n: chain_beside_others(p, n, CLAIMED),
        cases=[
            Case(f"p = {p}, n = {n}", LISTED[p][n - 1], (p, n)) for p in LISTED for n in range(1, 6)
        ],
    ),
    Row(
        key="dealt-lists",
        name="Published task lists, dealt",
        law="The same, dealt in advance: as long as the largest share.",
        source="task lists of arXiv 2603.12229",
        measure=lambda p, n: chain_beside_others(p, n, "pre_assigned"),
        cases=[
            Case(f"p = {p}, n = {n}", DEALT[p][n - 1], (p, n)) for p in DEALT for n in range(1, 6)
        ],
    ),
    Row(
        key="amdahl",
        name="Amdahl's law",
        law="A serial part before divisible work: 1 / ((1 - p) + p / n).",
        source="Amdahl 1967",
        measure=amdahl,
        cases=[
            Case(f"p = {p}, n = {n}", 1 / (1 - p + p / n), (p, n))
            for p in (0.5, 0.9, 0.95)
            for n in (1, 2, 3, 4, 5, 6)
        ],
    ),
    Row(
        key="gustafson",
        name="Gustafson's law",
        law="If the parallel part grows with the team, the scaled speed-up is n - (1 - p) (n - 1).",
        source="Gustafson 1988",
        measure=gustafson,
        cases=[
            Case(f"p = {p}, n = {n}", n - (1 - p) * (n - 1), (p, n))
            for p in (0.5, 0.9)
            for n in (2, 5, 10)
        ],
    ),
    Row(
        key="graham",
        name="Bounds of greedy schedules",
        law="max(T_1 / n, T_inf) <= T_n, and T_n <= T_1 / n + (1 - 1 / n) T_inf if nobody is idle "
        "while a task waits; violations in 150 random graphs.",
        source="Graham 1969; Brent 1974",
        measure=outside_grahams_bounds,
        cases=[
            Case("claimed", 0, ("self_claim",)),
            Case("stolen", 0, ("work_stealing",)),
            Case("dealt, lower bound only", 0, ("pre_assigned",)),
        ],
    ),
    Row(
        key="longest-first",
        name="Longest task first",
        law="A deal of the longest first takes up to 4/3 - 1/(3n) of the best; violations in 200.",
        source="Graham 1969",
        measure=outside_the_bound_of_longest_first,
        cases=[Case("", 0)],
    ),
    Row(
        key="coordinator-queue",
        name="A coordinator who answers one by one",
        law="Machine repairman: speed-up (1 - p0) (S + Z) / S with 1 / p0 = sum of "
        "N! / (N - k)! (S / Z)^k; S = 1, Z = 9.",
        source="Gunther 2007",
        measure=one_by_one,
        cases=[
            Case(f"n = {n}", 10 * repairman(n, 9, 1)[0], (n,), slow=True) for n in (2, 3, 5, 10, 20)
        ],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="coordinator-at-once",
        name="A coordinator whom all ask at once",
        law="Amdahl's law with the serial share S / (S + Z) = 0.1: n / (1 + 0.1 (n - 1)).",
        source="Gunther 2007",
        measure=all_at_once,
        cases=[Case(f"n = {n}", n / (1 + 0.1 * (n - 1)), (n,)) for n in (2, 3, 5, 10, 20)],
    ),
    Row(
        key="deliveries",
        name="Deliveries of a round",
        law="Mesh n (n - 1), star 2n, ring n, line n - 1, none for independent agents.",
        source="counting; Brooks 1975 for the mesh",
        measure=deliveries,
        cases=[
            Case(f"{kind}, n = {n}", count(n), (kind, n))
            for kind, count in (
                ("decentralised", lambda n: n * (n - 1)),
                ("centralised", lambda n: 2 * n),
                ("ring", lambda n: n),
                ("pipeline", lambda n: n - 1),
                ("independent", lambda n: 0),
            )
            for n in (2, 5, 16, 64)
        ],
    ),
    Row(
        key="diameter",
        name="Diameter of a ring",
        law="Between two agents lie floor(n / 2) links at most, on the shorter way round.",
        source="counting",
        measure=diameter,
        cases=[Case(f"n = {n}", n // 2, ("ring", n)) for n in (2, 5, 16, 64)],
    ),
    Row(
        key="broadcast-depth",
        name="Depth of a broadcast",
        law="Deliveries one after another until all know what one said: two in a star, one in a "
        "mesh, n - 1 on a line and in a ring, where agents speak to the next only.",
        source="counting",
        measure=hops_until_all_know,
        cases=[
            Case(f"{kind}, n = {n}", depth(n), (kind, n))
            for kind, depth in (
                ("centralised", lambda n: 2),
                ("decentralised", lambda n: 1),
                ("pipeline", lambda n: n - 1),
                ("ring", lambda n: n - 1),
            )
            for n in (5, 64)
        ],
    ),
    Row(
        key="usl-fits",
        name="Fits of the Universal Scalability Law",
        law="N / (1 + sigma (N - 1) + kappa N (N - 1)), fitted to published points; specsdm91 "
        "peaks at 96.52 users with 1884.",
        source="Gunther 2007; tests of R's package usl",
        measure=usl_of,
        cases=[
            Case(f"{data}, {name}", value, (data, name))
            for data, values in USL.items()
            for name, value in values.items()
        ],
        tolerance=Tolerance(share=0.003),
        note="The fit is that of `analysis`; no team is simulated. Published to three or four "
        "digits.",
    ),
    Row(
        key="bulk-synchronous",
        name="Rounds with a barrier",
        law="Sum over rounds of the longest work, g for each token received, and l between two "
        "rounds (3 s).",
        source="Valiant 1990",
        measure=barrier_rounds,
        cases=[
            Case(
                f"n = {n}, g = {g}",
                10 * n + 9 * g * 100 * (n - 1) + 9 * 3,
                (n, g),
            )
            for n in (1, 2, 5)
            for g in (0.0, 0.01)
        ],
    ),
    Row(
        key="message-between-two",
        name="A message between two processors, at once",
        law="LogP: 2 o + L from the end of one's work until the other's, which needs it, begins; "
        "here L = 0.",
        source="Culler et al. 1993",
        measure=handed_over,
        cases=[Case(f"o = {o} s", 2 * o, (o, 0)) for o in (1, 2, 5)],
    ),
    Row(
        key="message-on-its-way",
        name="A message between two processors, which takes its time",
        law="The same, with L > 0.",
        source="Culler et al. 1993",
        measure=handed_over,
        cases=[Case("o = 2 s, L = 5 s", 9, (2, 5))],
        not_reached="Work is handed over on the board, which all see at once. A message carries "
        "context: a task does not wait for one that is under way, and who begins without it does "
        "not read it.",
    ),
    Row(
        key="pipeline",
        name="A pipeline",
        law="N items pass k stages in sum of s_i + (N - 1) max s_i.",
        source="counting",
        measure=pipeline,
        cases=[
            Case(
                f"{items} items, stages of {sizes}",
                sum(sizes) + (items - 1) * max(sizes),
                (items, sizes),
            )
            for items, sizes in (
                (1, [1.0] * 4),
                (10, [1.0] * 3),
                (25, [1.0] * 8),
                (50, [1.0, 3.0, 2.0]),
            )
        ],
    ),
    Row(
        key="debate-tokens",
        name="Tokens of a debate",
        law="In r turns each, n r c + n^2 L r (r - 1) / 2 if all is kept, n r c + n (n - 1) L (r "
        "- 1) if nothing is; c = 700, L = 40.",
        source="counting",
        measure=debate_tokens,
        cases=[
            Case(
                f"n = {n}, r = {r}, {'all' if kept else 'nothing'} kept",
                n * r * 700
                + (n * n * 40 * r * (r - 1) // 2 if kept else n * (n - 1) * 40 * (r - 1)),
                (n, r, kept),
            )
            for n, r in ((3, 3), (4, 4), (6, 2))
            for kept in (0, 1)
        ],
    ),
]
