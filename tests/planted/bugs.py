"""The list of planted bugs: the text replaced, its replacement, and the tests that must fail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """A wrong text in the place of a right one.

    Attributes
    ----------
    file : str
        Of the source, from the root of the project.
    right, wrong : str
        The text, which stands there once, and what it becomes.
    tests : str
        The file of the tests that must fail.
    names : str
        Which of them, as ``pytest -k`` has it; all when empty.
    """

    file: str
    right: str
    wrong: str
    tests: str
    names: str = ""


_MODEL = "simulator/model"
_ALONE = "tests/model/test_{}_alone.py".format
_DEFINED = "tests/analysis/test_by_definition.py"

BUGS = [
    # Replicas, quorums, elections.
    Bug(
        f"{_MODEL}/workspaces/consensus.py",
        "spec.replicas // 2 - 1]",
        "(spec.replicas - 1) // 2 - 1]",
        _ALONE("workspaces"),
        "more_than_half",
    ),
    Bug(
        f"{_MODEL}/workspaces/consensus.py",
        "+= 2 * len(trips)",
        "+= len(trips)",
        _ALONE("workspaces"),
        "majority",
    ),
    Bug(
        f"{_MODEL}/workspaces/quorum.py",
        "answers[count - 1][0]",
        "answers[count - 2][0]",
        _ALONE("workspaces"),
        "as_many_replicas",
    ),
    Bug(
        f"{_MODEL}/resilience/raft.py",
        "return len(self.servers) // 2 + 1",
        "return (len(self.servers) + 1) // 2",
        "tests/model/test_elections.py",
    ),
    # Protocols.
    Bug(
        f"{_MODEL}/protocols/work_stealing.py",
        "victim.popleft()",
        "victim.pop()",
        _ALONE("protocols"),
        "theft or thief",
    ),
    Bug(
        f"{_MODEL}/protocols/work_stealing.py",
        "picks = [own.pop() for",
        "picks = [own.popleft() for",
        _ALONE("protocols"),
        "theft or thief",
    ),
    Bug(
        f"{_MODEL}/protocols/work_stealing.py",
        "metrics.steals += amount",
        "metrics.steals += 2 * amount",
        _ALONE("protocols"),
        "theft or thief",
    ),
    Bug(
        f"{_MODEL}/protocols/work_stealing.py",
        "(len(victim) + 1) // 2",
        "max(1, len(victim) // 2)",
        _ALONE("protocols"),
        "theft or thief",
    ),
    # Workloads.
    Bug(
        f"{_MODEL}/workloads/map_reduce.py",
        "[maps] * self.reduces",
        "[maps[1:]] * self.reduces",
        _ALONE("workloads"),
    ),
    Bug(
        f"{_MODEL}/workloads/parallel_fraction.py",
        "first_needs = (chain - 1,)",
        "first_needs = (max(0, chain - 2),)",
        _ALONE("workloads"),
    ),
    Bug(
        f"{_MODEL}/workloads/pipeline.py",
        "(i * self.stages + s - 1,) if s else ()",
        "(i * self.stages + s - 1,) if s > 1 else ()",
        _ALONE("workloads"),
    ),
    Bug(
        f"{_MODEL}/workloads/layered.py",
        "first = (task // width - 1) * width",
        "first = task // width * width - 1",
        _ALONE("workloads"),
    ),
    # Calls: what failures cost, how often they are tried again.
    Bug(
        f"{_MODEL}/calls/bill.py",
        "price.usd(uncached, cached, agent.call.output)",
        "price.usd(uncached + cached, 0, agent.call.output)",
        "tests/engine/test_billing.py",
    ),
    Bug(
        f"{_MODEL}/calls/bill.py",
        "int(agent.call.output * written)",
        "int(agent.call.output)",
        "tests/engine/test_billing.py",
    ),
    Bug(
        f"{_MODEL}/calls/breaker.py",
        "if self._trials == self._spec.trial_calls:",
        "if self._trials > self._spec.trial_calls:",
        "tests/model/test_patterns.py",
    ),
    Bug(
        f"{_MODEL}/calls/breaker.py",
        "if self._succeeded < self._spec.trial_calls:",
        "if self._succeeded < self._spec.trial_calls - 1:",
        "tests/model/test_patterns.py",
    ),
    Bug(
        f"{_MODEL}/calls/backoff.py",
        "2.0 ** min(tries, 60)",
        "2.0 ** min(tries - 1, 60)",
        "tests/model/test_patterns.py",
    ),
    Bug(
        f"{_MODEL}/calls/backoff.py",
        "(3.0 * wait - spec.base_s)",
        "3.0 * wait",
        "tests/model/test_patterns.py",
    ),
    Bug(
        f"{_MODEL}/calls/budget.py",
        "if self._level < 1.0:",
        "if self._level <= 1.0:",
        "tests/model/test_patterns.py",
    ),
    # Loops, tools, caches.
    Bug(
        f"{_MODEL}/agents/loop.py",
        "return 1 + int(math.log1p(-self._ends())",
        "return int(math.log1p(-self._ends())",
        "tests/engine/test_loops.py",
    ),
    Bug(
        f"{_MODEL}/calls/stations.py",
        "self.busy < self._places and self._has_waiting()",
        "self.busy <= self._places and self._has_waiting()",
        _ALONE("tools"),
    ),
    Bug(
        f"{_MODEL}/calls/stations.py",
        "first = -run.call.tool.spec.priority",
        "first = run.call.tool.spec.priority",
        _ALONE("tools"),
    ),
    Bug(
        f"{_MODEL}/calls/stations.py",
        "self._hours.opens * _HOUR_S - self._starts_s",
        "self._hours.opens * _HOUR_S",
        _ALONE("tools"),
    ),
    # Where the time went.
    Bug(
        "analysis/breakdown/causes.py",
        'elif row.event is Event.COMMIT:\n        cause = "coordination"',
        'elif row.event is Event.COMMIT:\n        cause = "duplicates and conflicts"',
        "tests/analysis/test_speedup_stack.py",
        "booked or told_apart",
    ),
    Bug(
        "analysis/breakdown/causes.py",
        '"review": "coordination"',
        '"review": "rework"',
        "tests/analysis/test_speedup_stack.py",
        "booked or told_apart",
    ),
    Bug(
        "analysis/breakdown/causes.py",
        '"lock": "duplicates and conflicts"',
        '"lock": "coordination"',
        "tests/analysis/test_speedup_stack.py",
        "booked or told_apart",
    ),
    # Calibration.
    Bug(
        "analysis/calibration/cell.py",
        '"base": four_digits(base)',
        '"base": four_digits(1.05 * base)',
        "tests/analysis/test_calibration.py",
        "recovered",
    ),
    Bug(
        "analysis/calibration/latency.py",
        "return np.asarray(np.log(base + per_task * work))",
        "return np.asarray(np.log(0.95 * base + per_task * work))",
        "tests/analysis/test_calibration.py",
        "little_doubt",
    ),
    Bug(
        "analysis/calibration/latency.py",
        '"lognormal": max(0.01, float(np.sqrt(np.mean(within**2))))',
        '"lognormal": max(0.01, 1.06 * float(np.sqrt(np.mean(within**2))))',
        "tests/analysis/test_calibration.py",
        "little_doubt",
    ),
    Bug(
        "analysis/calibration/calls.py",
        '"base_s": four_digits(base)',
        '"base_s": four_digits(1.05 * base)',
        "tests/analysis/test_call_fits.py",
        "cost_of_tokens",
    ),
    Bug(
        "analysis/calibration/calls.py",
        "np.sqrt(max(variance, 0.1 * scale**2) * 3.0) / np.pi",
        "1.06 * np.sqrt(max(variance, 0.1 * scale**2) * 3.0) / np.pi",
        "tests/analysis/test_call_fits.py",
        "cost_of_tokens",
    ),
    # Claims and their leases.
    Bug(
        f"{_MODEL}/ledger.py",
        "if claim is None or claim.number in self._inherited:",
        "if claim is None:",
        _ALONE("ledger"),
        "each_side",
    ),
    Bug(
        f"{_MODEL}/ledger.py",
        "claim.agent == agent and claim.number == made.claim",
        "claim.agent == agent",
        _ALONE("ledger"),
        "not_its_agents",
    ),
    Bug(
        f"{_MODEL}/protocols/_watched_claims.py",
        "self._leases.fork(other._let_go)",
        "self._leases.fork(self._let_go)",
        _ALONE("leases"),
        "before_a_cut",
    ),
    Bug(
        f"{_MODEL}/protocols/_watched_claims.py",
        """        if self._leases is not None:
            self._leases.end_all()""",
        """        if self._leases is not None and self.ledger is not None:
            self._leases.end_all()""",
        _ALONE("leases"),
        "has_ended",
    ),
    # Votes, debates, copies, deals.
    Bug(
        f"{_MODEL}/protocols/replicate_and_vote.py",
        "self._each = -(-protocol.replicas // setting.workers)",
        "self._each = max(1, protocol.replicas // setting.workers)",
        _ALONE("votes"),
        "as_evenly",
    ),
    Bug(
        f"{_MODEL}/protocols/replicate_and_vote.py",
        "return lead > self._needed - len(ballot.answers)",
        "return lead >= self._needed - len(ballot.answers)",
        _ALONE("votes"),
        "stops_early",
    ),
    Bug(
        f"{_MODEL}/protocols/debate.py",
        "panel.heard = dict(panel.opinions)",
        "panel.heard = panel.opinions",
        _ALONE("votes"),
        "round_before",
    ),
    Bug(
        f"{_MODEL}/protocols/redundancy.py",
        "task = queue.popleft()",
        "task = queue.pop()",
        _ALONE("redundancy"),
        "order_of_arrival",
    ),
    Bug(
        f"{_MODEL}/protocols/redundancy.py",
        "self._queues[agent].appendleft(task)",
        "self._queues[agent].append(task)",
        _ALONE("redundancy"),
        "that_has_failed",
    ),
    Bug(
        f"{_MODEL}/protocols/redundancy.py",
        "for before in sorted(places):",
        "for before in places:",
        _ALONE("redundancy"),
        "equally_likely",
    ),
    Bug(
        f"{_MODEL}/protocols/pre_assigned.py",
        "key=lambda each: -weight[each]",
        "key=lambda each: weight[each]",
        "tests/model/test_protocols.py",
        "longest_tasks",
    ),
    # What one turn leaves to the next, and a crash to whoever goes on.
    Bug(
        f"{_MODEL}/calls/turns.py",
        "kept = min(self._kept[attempt]",
        "kept = max(self._kept[attempt]",
        _ALONE("turns"),
        "least_advanced",
    ),
    Bug(
        f"{_MODEL}/calls/turns.py",
        "self._inner.over(agent)\n        time.end_turn()",
        "time.end_turn()",
        "tests/engine/test_turn_after_turn.py",
        "stands_in",
    ),
    Bug(
        f"{_MODEL}/calls/turns.py",
        "self._kept.pop(attempt, None)",
        "self._kept.get(attempt)",
        "tests/engine/test_turn_after_turn.py",
        "not_gone_on_with",
    ),
    # Raft's rules.
    Bug(
        f"{_MODEL}/resilience/raft.py",
        "self._send(server, 0.0, partial(self._hears_heartbeat, other, term))",
        "pass",
        "tests/model/test_election_rules.py",
        "leads_on",
    ),
    Bug(
        f"{_MODEL}/resilience/raft.py",
        "            self.hears(server, self._ground.now)\n        reply",
        "        reply",
        "tests/model/test_election_rules.py",
        "has_voted",
    ),
    Bug(
        f"{_MODEL}/resilience/raft.py",
        "state.role = FOLLOWER\n        self.hears",
        "self.hears",
        "tests/model/test_election_rules.py",
        "same_term",
    ),
    # Debates, polls, deques, hands: who is called, who is given what, how it is decided.
    Bug(
        f"{_MODEL}/protocols/debate.py",
        "if opinion != CORRECT and",
        "if opinion == CORRECT and",
        _ALONE("debates"),
        "find_the_right",
    ),
    Bug(
        f"{_MODEL}/protocols/debate.py",
        "most = max(counts.values())",
        "most = min(counts.values())",
        _ALONE("debates"),
        "most_frequent",
    ),
    Bug(
        f"{_MODEL}/protocols/replicate_and_vote.py",
        "{True: 1.0 - spec.false_alarm, False: spec.miss}",
        "{True: 1.0 - spec.miss, False: spec.false_alarm}",
        _ALONE("polls"),
        "verifier",
    ),
    Bug(
        f"{_MODEL}/protocols/replicate_and_vote.py",
        "< self._protocol.miss else [CORRECT]",
        "< self._protocol.miss else answers",
        _ALONE("polls"),
        "judge_finds",
    ),
    Bug(
        f"{_MODEL}/protocols/redundancy.py",
        "self.wake(*chosen[1:])",
        "self.wake()",
        _ALONE("redundancy"),
        "are_called",
    ),
    Bug(
        f"{_MODEL}/protocols/_dealt.py",
        "mine.sort(key=self.rank.__getitem__, reverse=True)",
        "mine.sort(key=self.rank.__getitem__)",
        _ALONE("dealt"),
        "inherits",
    ),
    Bug(
        f"{_MODEL}/protocols/_dealt.py",
        "picks.append(waiting[-1])",
        "picks.append(waiting[0])",
        _ALONE("dealt"),
        "is_blind or blindly",
    ),
    Bug(
        f"{_MODEL}/protocols/work_stealing.py",
        "        if not done:\n            self._give(agent, task)",
        "        if not done:\n            self.board.give(task, agent)",
        _ALONE("stealing"),
        "comes_back",
    ),
    Bug(
        f"{_MODEL}/protocols/pre_assigned.py",
        "weight[head[task]] += graph.sizes[task]",
        "weight[head[task]] -= graph.sizes[task]",
        _ALONE("dealt"),
        "longest_chain",
    ),
    # What requests cost and hold.
    Bug(
        f"{_MODEL}/calls/bill.py",
        "            usd += self._book_cache",
        "            usd -= self._book_cache",
        _ALONE("bill"),
    ),
    Bug(
        f"{_MODEL}/calls/bill.py",
        "metrics.cost_usd += self._book_cache",
        "metrics.cost_usd -= self._book_cache",
        _ALONE("bill"),
    ),
    Bug(
        f"{_MODEL}/calls/provider.py",
        "give_back(_reserved(agent) - written)",
        "give_back(_reserved(agent) + written)",
        _ALONE("provider"),
        "has_written",
    ),
    Bug(
        f"{_MODEL}/calls/requests.py",
        "if not math.isinf(limit_s):",
        "if math.isinf(limit_s):",
        _ALONE("requests"),
        "lost_patience",
    ),
    Bug(
        f"{_MODEL}/calls/requests.py",
        "self.breakers.withdraw(agent)\n        self.breakers.stop_waiting(agent)",
        "self.breakers.stop_waiting(agent)",
        "tests/engine/test_requests_that_end_early.py",
        "trial_that_crashes",
    ),
    Bug(
        f"{_MODEL}/workloads/layered.py",
        "int(rolls[task, width + 1] * width)",
        "int(rolls[task, width] * width)",
        _ALONE("workloads"),
        "artifacts_are_shared",
    ),
    Bug(
        f"{_MODEL}/workloads/layered.py",
        "int(rolls[task, width + 1] * width)",
        "int(rolls[task, width - 1] * width)",
        _ALONE("workloads"),
        "says_nothing",
    ),
    # Partitioned information.
    Bug(
        f"{_MODEL}/protocols/ask_holders.py",
        "for i in range(others + 1)) for home",
        "for i in range(others)) for home",
        "tests/model/test_asking.py",
        "every_answer or without_its_holder",
    ),
    Bug(
        f"{_MODEL}/protocols/ask_holders.py",
        "self._told[agent] -= again",
        "self._told[agent] |= again",
        "tests/model/test_asking.py",
        "sent_back",
    ),
    Bug(
        f"{_MODEL}/protocols/ask_holders.py",
        "return [part for part in sorted(lacking) if agent not in self._asked[part]]",
        "return sorted(lacking)",
        "tests/model/test_asking.py",
    ),
    # Distributions.
    Bug(
        "simulator/distributions/empirical.py",
        'np.searchsorted(cumulated, u, side="right")',
        'np.searchsorted(cumulated, u, side="left")',
        "tests/distributions/test_against_scipy.py",
        "without_weight",
    ),
    Bug(
        "simulator/distributions/mixture.py",
        "(u[here] - edges[i]) / self._weights[i]",
        "(u[here] - edges[i]) / self._weights.max()",
        "tests/distributions/test_against_scipy.py",
        "end_to_end",
    ),
    # Statistics: denominators, degrees of freedom, ends.
    Bug(
        "analysis/statistics/summaries.py",
        "values.std(ddof=1)",
        "values.std()",
        _DEFINED,
        "standard_deviation",
    ),
    Bug(
        "analysis/statistics/intervals.py",
        "a * a - 2.0 * r * a * b + b * b",
        "a * a + 2.0 * r * a * b + b * b",
        _DEFINED,
        "newcombes",
    ),
    Bug(
        "analysis/statistics/selection.py",
        "(x - x[i]).std(axis=1, ddof=1)",
        "(x - x[i]).std(axis=1)",
        _DEFINED,
        "those_of_pairs",
    ),
    Bug(
        "analysis/statistics/selection.py",
        "(1.0 - confidence) / (systems * rivals)",
        "(1.0 - confidence) / rivals",
        _DEFINED,
        "bonferronis",
    ),
    Bug(
        "analysis/statistics/selection.py",
        "np.var(table[i] - table[j], ddof=1)",
        "np.var(table[i] - table[j])",
        _DEFINED,
        "triangle",
    ),
    Bug(
        "analysis/statistics/selection.py",
        "degrees = first_stage - 1",
        "degrees = first_stage",
        _DEFINED,
        "triangle",
    ),
    Bug(
        "analysis/statistics/steady_state.py",
        "criterion[: count // 2 + 1]",
        "criterion[: count // 2]",
        _DEFINED,
        "warm_up",
    ),
    Bug(
        "analysis/statistics/steady_state.py",
        "run[len(run) - size * batches :]",
        "run[: size * batches]",
        _DEFINED,
        "left_over",
    ),
    Bug(
        "analysis/statistics/least_squares.py",
        "parameters * (parameters + 1) / (points - parameters - 1)",
        "parameters * (parameters + 1) / (points - parameters)",
        _DEFINED,
        "akaikes",
    ),
    Bug(
        "analysis/statistics/law_fits.py",
        "free = len(x) - 2",
        "free = len(x) - 1",
        _DEFINED,
        "power_law",
    ),
    Bug(
        "analysis/calibration/latency.py",
        "freedom = len(logs) - len(sizes)",
        "freedom = len(logs) - 1",
        "tests/analysis/test_calibration_by_definition.py",
        "analysis_of_variance",
    ),
    Bug(
        "analysis/calibration/cache_life.py",
        "idle[inside.max() + 1]",
        "idle[inside.max()]",
        "tests/analysis/test_calibration_by_definition.py",
        "life_of_a_cache",
    ),
    Bug(
        "analysis/breakdown/speedup_stack.py",
        "if is_alone and rest == others and candidate.series == point.series:",
        "if is_alone and candidate.series == point.series:",
        "tests/analysis/test_speedup_stack.py",
        "same_other_fields",
    ),
    # Laws and intervals.
    Bug(
        "analysis/statistics/laws.py",
        "coherency * agents * (agents - 1.0))",
        "coherency * agents * agents)",
        "tests/analysis/test_laws.py",
    ),
    Bug(
        "analysis/statistics/intervals.py",
        "high = max(float(x[above]), estimate)",
        "high = max(float(x[above - 1]), estimate)",
        "tests/analysis/test_statistics.py",
    ),
    # Fits to calls, and curves: changes of one operator that no test saw.
    Bug(
        "analysis/calibration/turn_counts.py",
        "at_risk = int((turns >= turn).sum())",
        "at_risk = int(((turns > turn) | (turns == turn) & is_whole).sum())",
        "tests/analysis/test_turn_counts_by_definition.py",
        "kaplan",
    ),
    Bug(
        "analysis/calibration/dependence.py",
        "share = (len(groups) - 1.0) / len(groups)",
        "share = 1.0 / len(groups)",
        "tests/analysis/test_dependence_by_definition.py",
        "errors",
    ),
    Bug(
        "analysis/calibration/dependence.py",
        "* np.exp(shared / 2))",
        "* np.exp(shared))",
        "tests/analysis/test_dependence_by_definition.py",
        "left",
    ),
    Bug(
        "analysis/calibration/calls.py",
        ".nunique() < _FEWEST_CLUSTERS:",
        ".nunique() > 0:",
        "tests/analysis/test_call_fits_by_definition.py",
        "equal_calls",
    ),
    Bug(
        "analysis/calibration/calls.py",
        " - residual.session.value**2 - residual.phase.value**2",
        " - residual.session.value**2",
        "tests/analysis/test_call_fits_by_definition.py",
        "taken_out",
    ),
    Bug(
        "analysis/calibration/coupling.py",
        "self.deference[0] < deference <= self.deference[1]",
        "self.deference[0] <= deference <= self.deference[1]",
        "tests/analysis/test_coupling.py",
        "stands_for_values",
    ),
    Bug(
        "analysis/calibration/cache_life.py",
        "(float(likelihood[best]) - alone) - 4.0",
        "(float(likelihood[best]) - alone)",
        "tests/analysis/test_calibration_by_definition.py",
        "gain_ten",
    ),
    Bug(
        "analysis/statistics/law_fits.py",
        "aic[finite] - np.min(",
        "aic[finite] + np.min(",
        "tests/analysis/test_laws.py",
        "any_unit",
    ),
    Bug(
        "analysis/statistics/curves.py",
        "met = i if met is None else met",
        "last, met = here, None",
        "tests/analysis/test_curves_by_definition.py",
        "cross",
    ),
    Bug(
        "analysis/breakdown/speedup_stack.py",
        "fsum(alone.values()) / makespan_s",
        "alone[WORK] / makespan_s",
        "tests/analysis/test_speedup_stack.py",
        "time_of_one_agent_over",
    ),
    Bug(
        "analysis/breakdown/causes.py",
        '"cut_off": "imbalance"',
        '"cut_off": "failures"',
        "tests/analysis/test_speedup_stack.py",
        "cuts_off",
    ),
    Bug(
        "simulator/model/workspaces/optimistic.py",
        "fsum(self.merge_s() for _ in newer)",
        "self.merge_s()",
        "tests/model/test_workspaces_alone.py",
        "every_file_in_conflict",
    ),
    Bug(
        "simulator/model/workspaces/optimistic.py",
        "metrics.merges += len(newer)",
        "metrics.merges += 1",
        "tests/model/test_workspaces_alone.py",
        "every_file_in_conflict",
    ),
    Bug(
        "simulator/model/workspaces/optimistic.py",
        "both = self._versions[0].get(artifact, 0) + version",
        "both = max(self._versions[0].get(artifact, 0), version)",
        "tests/model/test_workspaces_alone.py",
        "newer_than_what_was_read",
    ),
    Bug(
        "simulator/model/workspaces/quorum.py",
        "newest = max(versions) + 1",
        "newest = max(versions[i] for i in reached) + 1",
        "tests/model/test_workspaces_alone.py",
        "few_writes",
    ),
    Bug(
        "simulator/model/workspaces/locks.py",
        "not held.issuperset(mine)",
        "held.isdisjoint(mine)",
        "tests/model/test_workspaces_alone.py",
        "one_of_its_leases",
    ),
    Bug(
        "simulator/model/workspaces/single_writer.py",
        "desk.agents[artifact % workers]",
        "desk.agents[artifact % len(desk.agents)]",
        "tests/model/test_workspaces_alone.py",
        "only_workers_own",
    ),
    Bug(
        "simulator/model/workspaces/_workspace.py",
        "duplicate_effects += len(agent.call.picks)",
        "duplicate_effects += 1",
        "tests/model/test_workspaces_alone.py",
        "each_of_its_tasks",
    ),
    Bug(
        "simulator/model/resilience/recovery.py",
        "_BACK_TO = 0.9",
        "_BACK_TO = 1.0",
        "tests/model/test_patterns.py",
        "counted_by_hand",
    ),
    Bug(
        "simulator/model/resilience/recovery.py",
        "_WINDOW_TASKS = 10",
        "_WINDOW_TASKS = 9",
        "tests/model/test_patterns.py",
        "counted_by_hand",
    ),
    Bug(
        "simulator/model/resilience/recovery.py",
        "done[first - 1]",
        "done[first]",
        "tests/model/test_patterns.py",
        "counted_by_hand",
    ),
    Bug(
        "simulator/model/resilience/recovery.py",
        "before = bisect_right(",
        "before = bisect_left(",
        "tests/model/test_patterns.py",
        "counted_by_hand",
    ),
    Bug(
        "simulator/model/resilience/recovery.py",
        "inside = bisect_right(",
        "inside = bisect_left(",
        "tests/model/test_patterns.py",
        "counted_by_hand",
    ),
    Bug(
        "simulator/model/team/partition.py",
        "round(partition.minority *",
        "int(partition.minority *",
        "tests/model/test_sides_alone.py",
        "nearest_to_the_share",
    ),
    Bug(
        "simulator/model/calls/checkpoints.py",
        "self._every_s - 1e-9",
        "self._every_s + 1e-9",
        "tests/model/test_calls_alone.py",
        "very_end",
    ),
    Bug(
        "simulator/model/workloads/_workload.py",
        "1.0 - graph.critical_path / graph.total_work",
        "graph.critical_path / graph.total_work",
        "tests/model/test_workloads_alone.py",
        "off_the_critical_path",
    ),
    Bug(
        "simulator/model/workloads/resampled.py",
        "fsum(run.weight * len(run.sizes) for",
        "fsum(len(run.sizes) for",
        "tests/model/test_workloads_alone.py",
        "number_of_tasks_weighed",
    ),
]
"""Each with tests that must fail."""
