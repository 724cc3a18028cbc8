"""The documentation says what is so: links lead somewhere, flows are valid, commands exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from activities.catalogue import catalogue
from flowspec.check import check
from tests.project.markdown import ROOT, Block, anchors, blocks, links, pages

FLOWS = [block for block in blocks("yaml") if block.text.startswith("flow:")]
COMMAND_WORDS = re.compile(r"^(?:\w+=\S+ )*(?:\S*/)?flowrunner (.*)$")
COMMAND_IN_PROSE = re.compile(r"`(?:\w+=\S+ )*flowrunner ([a-z][^`\n|]*)`")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = [link for link in links(page) if not _leads_somewhere(page, link)]
    assert not dead


def test_the_readme_is_read_in_a_few_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_page_can_be_reached_from_the_index() -> None:
    found = [ROOT / "docs" / "index.md"]
    for page in found:
        targets = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
        found.extend(target for target in targets if target.suffix == ".md" and target not in found)
    lost = [page for page in (ROOT / "docs").rglob("*.md") if page not in found]
    assert not lost


@pytest.mark.parametrize("block", FLOWS, ids=str)
def test_every_flow_shown_is_valid(block: Block) -> None:
    checked = check(block.text, catalogue())
    assert [str(problem) for problem in checked.problems] == []


def _shown_commands() -> Iterator[tuple[str, str]]:
    for block in blocks("sh", ""):
        for line in block.text.replace("\\\n", " ").splitlines():
            match = COMMAND_WORDS.match(line)
            if match:
                yield str(block), re.split(r" [|>&]", match[1])[0]
    for page in pages():
        for command in dict.fromkeys(COMMAND_IN_PROSE.findall(page.read_text(encoding="utf-8"))):
            yield str(page.relative_to(ROOT)), command


@pytest.mark.parametrize(("place", "command"), list(_shown_commands()))
def test_every_command_shown_exists_with_its_options(place: str, command: str) -> None:
    name, *words = shlex.split(command, comments=True)
    text = _help(name)
    is_group = "COMMAND [ARGS]" in text and not name.startswith("-")
    if is_group and words and words[0] != "COMMAND":
        text = _help(name, words.pop(0))
    known = set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", text))
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    assert [option for option in options if option not in known] == [], place


def test_every_metric_of_the_claim_check_is_told_of_and_no_other() -> None:
    page = (ROOT / "docs" / "howto" / "observe.md").read_text(encoding="utf-8")
    module = (ROOT / "claimcheck" / "metrics.py").read_text(encoding="utf-8")
    made = re.findall(r'"(claimcheck_\w+)"', module)
    assert len(made) >= 5
    assert re.findall(r"^\| `(claimcheck_\w+)`", page, re.MULTILINE) == made


def test_the_manifest_of_the_sweep_calls_a_command_that_exists() -> None:
    (manifest,) = (block for block in blocks("yaml") if "kind: CronJob" in block.text)
    job = yaml.safe_load(manifest.text)["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    group, name, *options = container["args"]
    assert [option for option in options if option not in _help(group, name)] == []
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert container["image"] == compose["services"]["sweep"]["image"]


@cache
def _help(*command: str) -> str:
    program = str(Path(sys.executable).with_name("flowrunner"))
    words = [program, *command, "--help"] if not command[0].startswith("-") else [program]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"flowrunner {' '.join(command)}: {done.stderr}"
    return done.stdout


def _leads_somewhere(page: Path, link: str) -> bool:
    if link.startswith(("https://", "http://")):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in anchors(target)
