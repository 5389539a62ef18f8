"""Any file or argument gives a result or a clear error, and cannot control the terminal."""

from __future__ import annotations

import copy
import json
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator import documents
from simulator.cli.harmless import harmless
from simulator.cli.main import main
from simulator.documents import DocumentError, parse_json, read_text
from simulator.errors import TeamsimError
from simulator.experiment.estimate import estimate
from simulator.scenario import load_study, parse_study

GOOD = """\
name: good
replications: 2
team:
  size: 2
  agent:
    latency: {kind: seconds, base: 3}
topology: decentralised
coordination: {protocol: self_claim}
workload: {kind: parallel_fraction, tasks: 10, parallel_fraction: 0.5}
"""

Teamsim = Callable[..., tuple[int, str, str]]


@pytest.fixture
def teamsim(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Teamsim:
    """Return a function that runs a command in a directory with a good scenario."""
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(GOOD)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["teamsim", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        kinds = {unicodedata.category(each) for each in (out + err).replace("\n", "")}
        assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert max(map(len, (out + err).split("\n"))) < 1200
        return ended.value.code, out, err

    return run


DEEP = 10_000

VALUES = {
    "a deep list": ("[" * DEEP, "more than 50 lists or mappings within each other"),
    "a deep list that ends": ("[" * DEEP + "]" * DEEP, "more than 50 lists"),
    "deep mappings": ("{a: " * DEEP, "more than 50 lists"),
    "a wrong date": ("2024-99-99", "valid integer"),
    "no int": ("!!int abc", "'abc' is no int"),
    "no float": ("!!float abc", "'abc' is no float"),
    "no bool": ("!!bool abc", "'abc' is no bool"),
    "no timestamp": ("!!timestamp abc", "'abc' is no timestamp"),
    "no binary": ("!!binary é", "not YAML"),
    "many digits": ("9" * 5001, "a number of 5,001 digits: 100 are enough"),
    "many hexadecimal digits": ("0x" + "f" * 5001, "a number of 5,003 digits"),
    "many digits of base 60": ("1:" * 3000 + "1", "a number of 6,001 digits"),
    "a large whole number": ("9" * 50, "whole numbers go up to 9,223,372,036,854,775,808"),
    "a large number": ("1e300", "1e+300 is too large: numbers go up to 1e+15"),
    "infinity": (".inf", "finite"),
    "no number": (".nan", "finite"),
    "too large to be finite": ("1e999", "finite"),
    "half a surrogate pair": ('"\\ud800"', "half a surrogate pair is no character"),
    "beyond all characters": ('"\\U00110000"', "not YAML: chr() arg not in range"),
    "a megabyte": ("a" * 10**6, "valid integer"),
    "a megabyte of escapes": ('"' + "\\x1b" * 10**5 + '"', "valid integer"),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.thorough) if n == "a megabyte" else n for n in VALUES],
)
def test_a_value_is_refused_where_it_is_said(name: str, teamsim: Teamsim, tmp_path: Path) -> None:
    value, message = VALUES[name]
    code, _, said = teamsim("check", "good.yaml", "--set", f"team.size={value}")
    assert code == 2
    assert message in said
    assert said.startswith("error: --set team.size=")
    Path("bad.yaml").write_text(GOOD.replace("size: 2", f"size: {value}"), "utf-8")
    code, _, said = teamsim("check", "bad.yaml")
    assert code == 2
    assert message in said
    assert said.startswith("error: bad.yaml")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a." * 10_000 + "b", "more than 50 lists"),
        ("sweep.²", "an axis is a list of values"),
        ("faults.²", "unknown key|is no index|should be a list"),
        ("faults." + "9" * 5000, "unknown key|is no index|should be a list"),
        ("\x1b[31m\u202e", r"unknown key '\\\\?x1b\[31m\\\\?u202e'"),
    ],
)
def test_a_path_is_refused(path: str, message: str, teamsim: Teamsim) -> None:
    code, _, said = teamsim("check", "good.yaml", "--set", f"{path}=1")
    assert code == 2
    assert re.search(message, said), said


def test_halves_of_surrogate_pairs_are_refused_wherever_they_stand(teamsim: Teamsim) -> None:
    half = '"\\udcff"'
    for line in (f"question: {half}", f"{half}: 1", f"figure: {{{half}: 1}}", f"expect: [{half}]"):
        Path("half.yaml").write_text(f"{GOOD}{line}\n")
        said = teamsim("check", "half.yaml")[2]
        assert re.match("error: half.yaml:10: .*: half a surrogate pair", said), said
    code, _, said = teamsim("check", "good.yaml", "--set", "name=\udcff")  # an argument of no text
    assert code == 2
    assert "--set name=\\udcff: name: half a surrogate pair is no character" in said
    for text in ('{"a": ["\\ud800"]}', '{"\\ud800": 1}'):
        with pytest.raises(DocumentError, match="half a surrogate pair"):
            parse_json(text)
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"


def test_unknown_keys_without_number_are_not_all_compared(
    teamsim: Teamsim, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def noted(what: str, found: str, allowed: object) -> str:
        compared.append(found)
        return "unknown key"

    monkeypatch.setattr("simulator.spec.unknown_name", noted)
    Path("keys.yaml").write_text(GOOD + "".join(f"k{i}: 1\n" for i in range(3000)))
    code, _, said = teamsim("check", "keys.yaml")
    assert code == 2
    assert "keys.yaml:10: k0: unknown key" in said
    assert len(set(compared)) == 100


@pytest.mark.slow
def test_a_sweep_of_too_many_points_is_refused_before_it_is_made(teamsim: Teamsim) -> None:
    many = "{from: 1, to: 60000}"
    for sweep, count in (
        (f"{{seed: {many}, team.size: {many}}}", "these are 3,600,000,000"),
        (f"[{{name: a, seed: {many}, team.size: {many}}}]", "these are 3,600,000,000"),
        (f"[{{name: a, seed: {many}}}, {{name: b, seed: {many}}}]", "60,000 beside 60,000"),
    ):
        Path("many.yaml").write_text(GOOD + f"sweep: {sweep}\n")
        code, _, said = teamsim("check", "many.yaml")
        assert code == 2
        assert re.match(rf"error: many.yaml:10: sweep.*at most 100,000 points.*{count}", said)


def test_a_point_of_a_sweep_does_not_copy_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = "".join(f"  - {{name: s{i}, team.agent.latency.base: {i}.5}}\n" for i in range(50))
    study = parse_study(GOOD + f"sweep:\n{entries}")
    copied = 0

    def noted(value: object, copy: Callable[[object], object] = copy.deepcopy) -> object:
        nonlocal copied
        copied += repr(value).count("team.agent.latency.base")
        return copy(value)

    monkeypatch.setattr("copy.deepcopy", noted)
    assert len({str(each.scenario.team.agent) for each in study.points}) == 50
    assert copied <= 50


def test_files_without_end_and_of_no_text_are_refused(teamsim: Teamsim) -> None:
    assert "/dev/zero: longer than 20,000,000 bytes" in teamsim("check", "/dev/zero")[2]
    Path("latin.yaml").write_bytes(b"name: caf\xe9")
    assert "latin.yaml: not UTF-8, at byte 9" in teamsim("check", "latin.yaml")[2]
    assert "cannot be read: Is a directory" in teamsim("check", ".")[2]
    Path("zero.yaml").symlink_to("/dev/zero")
    profile = "team.agent.profile=zero.yaml"
    assert "zero.yaml: longer than" in teamsim("check", "good.yaml", "--set", profile)[2]


def test_names_in_files_and_arguments_steer_no_terminal(teamsim: Teamsim) -> None:
    evil = '"\\e]0;owned\\a\\u202Ekcab"'
    Path("evil.yaml").write_text(GOOD + f"{evil}: 1\n")
    code, _, said = teamsim("check", "evil.yaml")
    assert code == 2
    assert "x1b]0;owned" in said
    Path("groups.yaml").write_text(
        GOOD.replace("  size: 2\n", "").replace(
            "  agent:\n", f"  groups: {{{evil}: 3}}\n  agent:\n"
        )
    )
    assert teamsim("check", "groups.yaml")[0] == 2
    for command in (["check", "\x1b[31m.yaml"], ["\x1b[31m"], ["check", "--\x1b[31m"]):
        code, _, said = teamsim(*command)
        assert code == 2
        assert "\\x1b[31m" in said


@pytest.mark.slow
def test_series_of_any_name_are_swept_printed_and_drawn(teamsim: Teamsim) -> None:
    names = ["[/bold]", "\u202eright", "a" * 300]
    sweep = ", ".join(f"{{name: {json.dumps(name)}, team.size: 3}}" for name in names)
    Path("series.yaml").write_text(GOOD + f"sweep: [{sweep}]\nbaseline: {{team.size: 1}}\n")
    assert teamsim("sweep", "series.yaml", "--out", "out")[0] == 0
    code, out, err = teamsim("stack", "series.yaml", "--out", "s", "-r", "1")
    assert code == 0, err
    assert "\\u202eright" in out
    assert "[/bold]" in out


def test_series_with_control_characters_in_their_names_are_refused(teamsim: Teamsim) -> None:
    Path("series.yaml").write_text(GOOD + 'sweep: [{name: "\\e[31mred", team.size: 3}]\n')
    code, _, said = teamsim("sweep", "series.yaml", "--out", "out")
    assert code == 2
    assert "must not have control characters" in said
    assert "\\x1b[31mred" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("advise", "good.yaml", "--usd-per-hour", "nan"),
        ("advise", "good.yaml", "--usd-per-hour", "inf"),
        ("advise", "good.yaml", "--min-quality", "nan"),
        ("advise", "good.yaml", "--budget-usd", "1e300"),
        ("sensitivity", "good.yaml", "--vary", "team.size=1:inf", "--out", "s"),
        ("sensitivity", "good.yaml", "--vary", "team.size=nan:3", "--out", "s"),
        ("sensitivity", "good.yaml", "--vary", "team.size=1:1e300", "--out", "s"),
        (
            "sensitivity",
            "good.yaml",
            "--vary",
            "team.size=1:2",
            "--out",
            "s",
            "--samples",
            "200000",
        ),
        ("check", "good.yaml", "--set", "replications=10**1000"),
        ("run", "good.yaml", "--replications", "1" + "0" * 1000),
        ("run", "good.yaml", "--set", "replications=1000000000000000"),
        ("sweep", "good.yaml", "--out", "out", "--workers", "1000000"),
    ],
)
def test_a_number_of_an_option_is_refused(arguments: tuple[str, ...], teamsim: Teamsim) -> None:
    assert teamsim(*arguments)[0] == 2


def test_numbers_within_the_limits_give_a_result_or_an_error(teamsim: Teamsim) -> None:
    for value in ("1e15", "1e14", "1e12"):
        code, _, said = teamsim("run", "good.yaml", "--set", f"team.agent.tokens.message={value}")
        assert code in (0, 2)
        assert bool(said) == bool(code)


def test_json_is_read_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_json('{"a": [1, 2.5, "x", null, true]}') == {"a": [1, 2.5, "x", None, True]}
    for text, message in (
        ("[" * 60 + "]" * 60, "more than 50 lists"),
        ("[" * 10**5, "more than 50 lists"),
        ('{"a":' * 10**5, "more than 50 lists"),
        ("9" * 5001, "a number of 5,001 digits"),
        ("9" * 50, "whole numbers go up to"),
        ("1e300", "no number up to"),
        ("1e999", "no number up to"),
        ("NaN", "no number up to"),
        ("-Infinity", "no number up to"),
        ("{", "not JSON"),
    ):
        with pytest.raises(DocumentError, match=message):
            parse_json(text)
    with pytest.raises(DocumentError, match="longer than 10 bytes"):
        read_text(Path("/dev/zero"), 10)


def test_aliases_are_counted_where_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.scenario.source.MOST_VALUES", 100)
    text = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\nb: [" + ", ".join(["*a"] * 12) + "]\n"
    with pytest.raises(TeamsimError, match="more than 100 values once expanded"):
        _ = parse_study(text).points
    assert documents.MOST_VALUES == 200_000


def test_what_is_large_is_said_before_it_is_run(teamsim: Teamsim) -> None:
    code, out, said = teamsim("check", "good.yaml", "--set", f"replications={10**12}")
    assert code == 0
    assert "1,000,000,000,000 replications" in out
    assert "note: at least about 10,000,000,000,000 calls will be simulated" in said
    retries = "resilience={retry: {max_retries: 1000000000}}"
    code, _, said = teamsim("run", "good.yaml", "-r", 1, "--set", retries)
    assert "a call may be tried 1,000,000,001 times" in said
    assert teamsim("check", "good.yaml")[2] == ""


def test_memory_is_estimated_and_what_does_not_fit_is_refused(
    teamsim: Teamsim, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = "team.size=1000000"
    assert "about 8.0 GB of memory" in teamsim("check", "good.yaml", "--set", size)[2]
    found = estimate(load_study("good.yaml", [size]).points)
    assert found.memory_bytes == 10**6 * 8000 + 10 * 250
    monkeypatch.setattr("simulator.experiment.estimate._memory_bytes", lambda: 10**9)
    for command, *more in (
        ("check",),
        ("run",),
        ("run", "--steady"),
        ("run", "--trace", "t.csv"),
        ("timeline", "--out", "t"),
        ("stack", "--out", "s", "--set", "sweep={team.size: [1, 1000000]}"),
        ("compare", "good.yaml", "-w", 1),
    ):
        code, _, said = teamsim(command, "good.yaml", *more, "--set", size)
        assert code == 2
        assert "takes about 8.0 GB of memory, and this machine has 1.0 GB" in said


@pytest.mark.parametrize(
    ("workload", "calls", "memory"),
    [
        ("{kind: pipeline, items: 1000000, stages: 1000}", "2,000,000,000", "250.0 GB"),
        ("{kind: map_reduce, maps: 100000, reduces: 10000}", "", ""),
        ("{kind: layered, layers: 1000, width: 100000}", "200,000,000", "191,025.0 GB"),
    ],
)
def test_tasks_of_all_workloads_are_counted_before_they_are_made(
    workload: str, calls: str, memory: str, teamsim: Teamsim
) -> None:
    code, _, said = teamsim("check", "good.yaml", "--set", f"workload={workload}")
    assert code == (2 if memory else 0)
    assert f"takes about {memory} of memory" in said if memory else not said
    points = load_study("good.yaml", [f"workload={workload}"]).points
    assert not calls or f"{estimate(points).calls:,}" == calls


@pytest.mark.parametrize("text", ["- 1\n", "5\n", "text\n", "[{a: 1}]\n"])
def test_a_profile_that_is_no_mapping_is_refused(text: str, teamsim: Teamsim) -> None:
    Path("p.yaml").write_text(text)
    code, _, said = teamsim("check", "good.yaml", "--set", "team.agent.profile=p.yaml")
    assert (code, said) == (2, "error: p.yaml:1: a profile is a mapping of an agent's fields\n")


@pytest.mark.parametrize("provider", ["5", "true", "[a]", "{a: 1}"])
def test_a_provider_of_prices_that_is_no_name_is_refused(provider: str, teamsim: Teamsim) -> None:
    price = f"team.agent.price={{model: gpt-5.2, provider: {provider}}}"
    code, _, said = teamsim("check", "good.yaml", "--set", price)
    assert code == 2
    assert "provider: should be a text" in said


def test_harmless_text_is_left_alone() -> None:
    for text in ("Ångström → 3 % ≥ 2", "a\tb\nc", "日本語", "a\xa0b"):
        assert harmless(text) == text
    for text in ("\x1b", "\x9b", "\u202e", "\u2066", "\u200b", "\u2028", "\x07", "\r", "\ud800"):
        assert harmless(text).isascii()
        assert harmless(text).isprintable()
    cut = harmless("a" * 10**6 + "end")
    assert len(cut) < 1100
    assert "1,000,003 characters" in cut
    assert cut.endswith("end")
    assert len(harmless("\x00" * 900)) < 1100  # which is longer when it is written as escapes
    assert harmless("a\x00" * 150) == "a\\x00" * 150
