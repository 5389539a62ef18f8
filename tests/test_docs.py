"""The manual and README: commands parse, scenarios load, links lead somewhere, pages are fresh."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
import yaml

from docs.generate import pages
from docs.markdown import said
from docs.python_pages import numpy_style
from docs.scores import (
    GUIDE,
    METRICS,
    README,
    ROWS,
    lists_of,
    parts_of,
    range_of_ratio,
    table_of,
    written,
)
from simulator.cli.main import app
from simulator.errors import TeamsimError
from simulator.scenario import parse_study
from tests.conftest import DEFAULTS

ROOT = Path(__file__).parents[1]
HAND_WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS = [*HAND_WRITTEN, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]

SHIPPED = [path.stem for path in sorted((ROOT / "scenarios").glob("*.yaml"))]
COMMANDS = typer.main.get_command(app).commands


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, *languages: str) -> Iterator[str]:
    """Yield the blocks of code of a document that are in one of the languages."""
    for language, block in re.findall(r"(?ms)^```(\S*)\n(.*?)^```$", path.read_text("utf-8")):
        if language in languages:
            yield block


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```$", "", text)


# --- commands ----------------------------------------------------------------------------------


def commands_in(path: Path) -> Iterator[list[str]]:
    """Yield the arguments of every `teamsim` command in the code of a document."""
    for block in blocks(path, "console", ""):
        for line in block.replace("\\\n", " ").splitlines():
            if re.match(r"(\$ )?teamsim ", line):
                words = shlex.split(line.removeprefix("$ "), comments=True)
                for command in " ".join(map(shlex.quote, words)).split(" '&&' "):
                    yield shlex.split(command)[1:]


def mentions_in(path: Path) -> Iterator[list[str]]:
    """Yield the same of the text, where commands may be incomplete."""
    for code in re.findall(r"`(teamsim [^`]+)`", without_code(path.read_text("utf-8"))):
        yield shlex.split(code.partition(" > ")[0])[1:]


def error_in(arguments: list[str]) -> str:
    """Return what is wrong with a command: an unknown name or option, a file that is not there."""
    name, *rest = arguments
    if name == "--help":
        return ""
    if name not in COMMANDS:
        return f"no command {name}"
    try:
        COMMANDS[name].make_context(name, list(rest))
    except Exception as error:  # typer has a copy of click, with errors of its own
        return f"{type(error).__name__}: {error}"
    files = [word for word in rest if word.startswith("scenarios/")]
    wrong = [f"no file {word}" for word in files if not (ROOT / word).exists()]
    if "scenario" in {each.name for each in COMMANDS[name].params}:
        named = rest[0] if rest and re.fullmatch(r"\w+", rest[0]) else SHIPPED[0]
        wrong += [f"no scenario {named}"] * (named not in SHIPPED)
    return next(iter(wrong), "")


def error_in_mention(arguments: list[str]) -> str:
    """Return what is wrong with the name or the options of a command."""
    name, *rest = arguments
    if name in ("COMMAND", "..."):
        return ""
    if name not in COMMANDS:
        return f"no command {name}"
    known = {"--help", *(flag for each in COMMANDS[name].params for flag in each.opts)}
    return next((f"no option {word}" for word in rest if word[0] == "-" and word not in known), "")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_command_parses(path: Path) -> None:
    found = [(each, error_in(each)) for each in commands_in(path)]
    found += [(each, error_in_mention(each)) for each in mentions_in(path)]
    assert [(" ".join(each), error) for each, error in found if error] == []


def test_commands_are_found_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    assert sum(len(list(commands_in(path))) for path in DOCUMENTS) > 50
    page = tmp_path / "page.md"
    page.write_text("```console\n$ teamsim sweep a.yaml --out b && teamsim plot b  # both\n```\n")
    assert list(commands_in(page)) == [["sweep", "a.yaml", "--out", "b"], ["plot", "b"]]
    assert error_in(["sweep", "a.yaml", "--out", "b"]) == ""
    assert "NoSuchOption" in error_in(["plot", "b", "--colour", "red"])
    assert "MissingParameter" in error_in(["sweep", "a.yaml"])
    assert error_in(["simulate", "a.yaml"]) == "no command simulate"
    assert error_in_mention(["run", "--steady"]) == ""
    assert error_in_mention(["run", "--colour"]) == "no option --colour"
    assert error_in(["run", "scenarios/no.yaml"]) == "no file scenarios/no.yaml"
    assert error_in(["run", "quickstart"]) == ""
    assert error_in(["run", "slowstart"]) == "no scenario slowstart"


# --- scenarios ---------------------------------------------------------------------------------


def merged(below: Any, above: Any) -> Any:
    """Return a mapping with another's fields over it."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    if "kind" in below and "kind" in above and below["kind"] != above["kind"]:
        return above
    return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}


def completed(fragment: dict[str, Any]) -> dict[str, Any]:
    """Return a fragment of a scenario with the rest of one."""
    plain = {**DEFAULTS, "topology": "decentralised", "coordination": {"protocol": "self_claim"}}
    if "groups" in fragment.get("team", {}):
        plain["team"] = {}
    if isinstance(fragment.get("resilience"), dict) and "election" in fragment["resilience"]:
        plain["topology"] = "centralised"
    if any("coordinator" in fault.values() for fault in fragment.get("faults", ())):
        plain["topology"] = "centralised"
    return merged(plain, fragment)


@pytest.mark.parametrize(
    "path",  # what the guide to plugins says is run by a test of its own, beside its package
    [path for path in HAND_WRITTEN if name_of(path) != "docs/guides/plugins.md"],
    ids=name_of,
)
def test_every_scenario_and_every_part_of_one_is_right(path: Path) -> None:
    for block in blocks(path, "yaml"):
        fragment = yaml.safe_load(block)
        if "receivers" not in fragment:  # OpenTelemetry's collector
            study = parse_study(yaml.safe_dump(completed(fragment)))
            assert study.points


def test_a_wrong_part_of_a_scenario_is_refused() -> None:
    study = parse_study(yaml.safe_dump(completed({"team": {"sise": 3}})))
    with pytest.raises(TeamsimError, match="sise"):
        assert study.points


# --- links -------------------------------------------------------------------------------------


def anchors_of(path: Path) -> set[str]:
    """Return the anchors of a document, by the rules of Python-Markdown's `toc`."""
    text = without_code(path.read_text("utf-8"))
    found = set(re.findall(r'<a id="(\S+)"></a>', text))
    for title in re.findall(r"(?m)^#+ (.+)$", text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title.replace("`", ""))
        slug = re.sub(r"[^\w\s-]", "", plain).strip().lower()
        found.add(re.sub(r"[-\s]+", "-", slug))
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = without_code(path.read_text("utf-8"))
    for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", text):
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.is_file(), link
        assert not anchor or anchor in anchors_of(target), link


# --- pages -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return pages()


def test_pages_are_what_the_code_says(generated: dict[str, str]) -> None:
    written = {page: (ROOT / "docs" / page).read_text("utf-8") for page in generated}
    stale = [page for page, text in generated.items() if written[page] != text]
    assert stale == [], "run `make docs`"


def test_the_reference_is_complete(generated: dict[str, str]) -> None:
    from simulator.model.metrics import METRIC_NAMES
    from simulator.scenario import REGISTRIES

    fields = generated["reference/scenario.md"]
    assert "| `team.agent.context.cache.life_s` | number &gt; 0 |  | Seconds for which" in fields
    assert "| `workload` | [workload](plugins.md#workloads) | required |" in fields
    plugins = generated["reference/plugins.md"]
    for registry in REGISTRIES:
        for name in registry.names():
            assert f'<a id="{registry.definition}-{name}"></a>\n\n### {name}\n' in plugins
    assert re.findall(r"(?m)^.*\|  \|$", fields + plugins) == []  # every field says what it means
    metrics = generated["reference/metrics.md"]
    assert re.findall(r"(?m)^.*\|  \|$", metrics) == []
    assert [name for name in METRIC_NAMES if f"\n| `{name}` |" not in metrics] == []
    assert all(f"## teamsim {name}\n" in generated["reference/commands.md"] for name in COMMANDS)
    sources = (ROOT / "scenarios").glob("*.yaml")
    assert all(f"## {source.stem}\n" in generated["gallery.md"] for source in sources)


def test_docstrings_become_markdown() -> None:
    assert said("``a < b`` or `c`, 2 * x < 3") == r"`a < b` or `c`, 2 \* x &lt; 3"
    text = numpy_style("Say it.\n\nParameters\n----------\nx : int\n    How\n    many.\n")
    assert text.split("\n") == ["Say it.", "", "**Parameters**", "", "- `x`: int. How many.", ""]


def test_as_many_rows_are_said_to_hold_as_do() -> None:
    text = (ROOT / "docs" / "validation.md").read_text("utf-8")
    found = re.search(r"\*\*(\d+) of (\d+) rows hold\*\*", text)
    assert found
    held, rows = map(int, found.groups())
    for path in ("README.md", "docs/background/held-against.md"):
        said_there = (ROOT / path).read_text("utf-8")
        assert f"{rows} laws and published results" in said_there
        assert f"the {rows - held} that" in said_there


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("material") is None,
    reason="needs MkDocs: pip install 'llm-teamsim[docs]'",
)
def test_the_manual_builds_and_loads_nothing_from_the_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = sorted(tmp_path.rglob("*.html"))
    assert len(built) > 40
    for page in built:
        text = page.read_text("utf-8")
        assert not re.findall(
            r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"?(?:https?:)?//", text
        )
    for style in tmp_path.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?(?:https?:)?//|@import", style.read_text("utf-8"))


def test_the_table_of_parts_says_how_much_larger_the_error_is_without_each() -> None:
    scores = {"wall_clock_seconds": [0.2, 0.3], "total_tokens": [0.4, 0.4]}
    scores |= {"total_rounds": [0.5, 0.45], "success": [0.05, 0.06]}
    table = parts_of(pd.DataFrame({"without": ["nothing", "habits"], **scores}))
    head, line, habits = table.splitlines()
    assert head == "| error without | wall clock | tokens | rounds | success |"
    assert line == "|---|---|---|---|---|"
    assert habits == "| habits | +50 % | 0 % | −10 % | +20 % |"
    assert habits in written(README.read_text("utf-8"), table)


def test_the_table_of_scores_is_written_in_its_place() -> None:
    names = [name for name in ROWS if name not in ("ratio", "range")]
    cells = pd.DataFrame(
        [
            {"metric": metric, **dict.fromkeys(names, 0.25 * (i + 1)), "cover_50%": 0.5,
             "cover_80%": 0.8, "cover_95%": 0.95, "runs": 5.0, "model_dir": "m",
             "mode": "decentralized", "task_type": "sums", "p_label": f"p{i}"}
            for metric in (*METRICS, "success")
            for i in range(2)
        ]
    )  # fmt: skip
    table = table_of(cells)
    assert "mean over 2 cells" in table
    assert "| **teamsim** | **0.375** | **0.375** | **0.375** |" in table
    assert "| ratio of the two | 1.000 | 1.000 | 1.000 |" in table
    assert "| ... in 90 % of resampled cells | 1.00 to 1.00 | 1.00 to 1.00 |" in table
    # Two cells alike are as two outcomes, of which 1.6 are inside: Clopper and Pearson's.
    assert "| ... the 80 % intervals, at 95 % confidence over cells | 8 to 100 % |" in table
    one = cells.assign(task_type="sums", predicted=cells["predicted"] * 1.5)
    twice = one.assign(task_type="more", predicted=0.75)
    *_, first, second, both = lists_of([one, twice]).splitlines()
    assert first == "| sums | 1.500 | 1.500 | 1.500 | 1.50 | 80, 80, 80 % |"
    assert second == "| more | 2.000 | 2.000 | 2.000 | 2.00 | 80, 80, 80 % |"
    assert both == "| both | 1.750 | 1.750 | 1.750 | 1.75 | 80, 80, 80 % |"
    assert lists_of([]) == ""
    even, odd = (cells.assign(again=1.0, predicted=[x, y] * 4) for x, y in ((1, 1), (0, 2)))
    assert range_of_ratio(even[even["metric"] == "success"]) == (1.0, 1.0)
    assert range_of_ratio(odd[odd["metric"] == "success"]) == (0.0, 2.0)
    guide = GUIDE.read_text("utf-8")
    assert table in written(guide, table)
    assert written(written(guide, "x\n"), table) == written(guide, table)
