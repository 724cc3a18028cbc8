"""Node types of other packages: found, and told of if they are broken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.catalogue import built_in
from activities.plugins import Plugins, flaws, load_plugins
from flowspec.catalogue import RetryDefaults
from flowspec.check import check
from tests.plugins import install


class Site:
    """A place on the path that packages are installed into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, package: str, code: str, *, value: str | None = None) -> None:
        install(self.folder, package, code, value=value)

    def found(self) -> Plugins:
        return load_plugins(built_in())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        if (tmp_path / f"{name}.py").exists():
            del sys.modules[name]


def names(found: Plugins) -> list[str]:
    return [each.name for each in found.found]


def test_without_plugins_there_is_nothing(site: Site) -> None:
    assert site.found() == Plugins()


def test_without_plugins_nothing_more_is_loaded() -> None:
    code = (
        "from activities import catalogue; catalogue.catalogue(); import sys; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "activities.plugins" in done.stdout.split()
    assert "flowspec.check" not in done.stdout.split()


def test_what_is_sound_is_found_with_its_package(site: Site) -> None:
    site.install("acme-nodes", 'NODE_TYPES = [made("acme.hello"), made("acme.bye", tier="local")]')
    found = site.found()
    assert found.troubles == ()
    catalogue = found.catalogue(built_in())
    assert catalogue.packages == {"acme.hello": "acme-nodes 1.0", "acme.bye": "acme-nodes 1.0"}
    assert list(catalogue)[-2:] == ["acme.hello", "acme.bye"]
    assert catalogue["acme.bye"].tier == "local"


BROKEN_ALTOGETHER = {
    "raise RuntimeError('no licence')": "it cannot be imported: RuntimeError: no licence",
    "import not_there_at_all": "it cannot be imported: ModuleNotFoundError: No module named "
    "'not_there_at_all'",
    "raise SystemExit(3)": "it cannot be imported: SystemExit: 3",
    "NODE_TYPES = [": "it cannot be imported: SyntaxError: '[' was never closed",
    "": "it cannot be imported: AttributeError: module 'broken_one' has no attribute 'NODE_TYPES'",
    "NODE_TYPES = made('acme.hello')": "it names a value of type Implementation, not a",
    "import json as NODE_TYPES": "it names a module, not the node types in it",
}


@pytest.mark.parametrize("code", BROKEN_ALTOGETHER)
def test_a_plugin_that_cannot_be_had_is_told_and_others_go_on(site: Site, code: str) -> None:
    site.install("acme-nodes", 'NODE_TYPES = [made("acme.hello")]')
    site.install("broken-one", code)
    found = site.found()
    assert names(found) == ["acme.hello"]
    (trouble,) = found.troubles
    assert trouble.package == "broken-one 1.0"
    assert trouble.entry_point == "entry point main = 'broken_one:NODE_TYPES'"
    assert trouble.node_type is None
    assert BROKEN_ALTOGETHER[code] in trouble.problem
    assert trouble.advice


def test_an_entry_point_without_what_it_names_is_told_what_to_name(site: Site) -> None:
    site.install("acme-nodes", 'NODE_TYPES = [made("acme.hello")]', value="acme_nodes")
    (trouble,) = site.found().troubles
    assert trouble.advice == "let it name 'acme_nodes:NODE_TYPES'"


OTHER = "import sys, pydantic\nclass Other(pydantic.BaseModel): ...\n"
FLAWED = {
    '"nonsense"': "it is a value of type str, not what `declare` returns",
    'made("hello")': "'hello' is no name for a plug-in's node type",
    'made("Acme.Hello")': "'Acme.Hello' is no name for a plug-in's node type",
    'made("flowrunner.resolve")': "'flowrunner.resolve' is reserved",
    'made("acme.x", example=" ")': "it has no example",
    'made("acme.x", summary="")': "it has no summary",
    'made("acme.x", tier="inline")': "its tier is 'inline'; expected local or remote",
    'made("acme.x", handler=lambda params, attempt: 1)': "its handler is no `async def` function",
    'made("acme.x", errors=("Boom",))': "its errors are not all `ErrorType`",
    'made("acme.x", secret_params=("key",))': "secret_params names 'key', which is none of its",
    'made("acme.x", params=Other)': "of type ModelMetaclass, not a subclass of `Params`",
    'made("acme.x", params=int)': "of type type, not a subclass of `Params`",
    'made("acme.x", result=type(sys))': "its declaration cannot be used: PydanticSchemaGeneration",
    'made("log.x", exclusive=(1,))': "its declaration cannot be used: TypeError: ",
    'made("http.request")': "Flowrunner has a node type of that name itself",
}


@pytest.mark.parametrize("flawed", FLAWED)
def test_a_flawed_declaration_is_left_out_and_the_rest_is_used(site: Site, flawed: str) -> None:
    code = f'NODE_TYPES = [made("acme.hello"), {flawed}, made("acme.bye")]'
    site.install("acme-nodes", f"{OTHER}{code}")
    found = site.found()
    assert names(found) == ["acme.hello", "acme.bye"]
    (trouble,) = found.troubles
    assert FLAWED[flawed] in trouble.problem
    assert "acme-nodes 1.0" in str(trouble)


def test_of_two_with_one_name_neither_is_used(site: Site) -> None:
    site.install("acme-nodes", 'NODE_TYPES = [made("acme.hello"), made("acme.bye")]')
    site.install("bcme-nodes", 'NODE_TYPES = [made("acme.hello"), made("bcme.bye")]')
    found = site.found()
    assert names(found) == ["acme.bye", "bcme.bye"]
    one, other = found.troubles
    assert (one.package, one.node_type) == ("acme-nodes 1.0", "acme.hello")
    assert one.problem.startswith("bcme-nodes 1.0 (entry point main = ")
    assert one.problem.endswith("has that name too")
    assert (other.package, other.node_type) == ("bcme-nodes 1.0", "acme.hello")


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        ("flow: x\\nnodes: {a: {type: acme.hello, params: {n: 1}}}", "its example has a problem: "),
        ("flow: x\\nnodes: {a: {type: noop}}", "its example does not use it"),
    ],
)
def test_a_node_type_whose_example_is_wrong_is_used_all_the_same(
    site: Site, example: str, problem: str
) -> None:
    site.install("acme-nodes", f'NODE_TYPES = [made("acme.hello", example="{example}")]')
    found = site.found()
    assert names(found) == ["acme.hello"]
    (trouble,) = found.troubles
    assert trouble.problem.startswith(problem)


def test_a_flow_is_told_why_a_type_is_missing(site: Site) -> None:
    site.install("acme-nodes", 'NODE_TYPES = [made("acme.hello", example="")]')
    catalogue = site.found().catalogue(built_in())
    flow = "flow: x\nnodes:\n  a: {type: acme.hello}\n"
    (problem,) = check(flow, catalogue).problems
    assert problem.message == (
        "there is no node type 'acme.hello'; `flowrunner nodes` lists those there are; the node "
        "type 'acme.hello' of acme-nodes 1.0 (entry point main = 'acme_nodes:NODE_TYPES'): number "
        "1 of them: it has no example; update the package, or tell whoever maintains it"
    )
    site.install("broken-one", "import not_there_at_all")
    catalogue = site.found().catalogue(built_in())
    (problem,) = check(flow.replace("hello", "other"), catalogue).problems
    assert "it may be one of a plug-in that cannot be used: the plug-in of broken-one 1.0" in (
        problem.message
    )
    assert "No module named 'not_there_at_all'" in problem.message
    (problem,) = check("flow: x\nnodes:\n  a: {type: lgo}\n", built_in()).problems
    assert problem.message == "there is no node type 'lgo'; did you mean 'log'?"


def test_an_author_is_told_all_that_is_wrong(site: Site) -> None:
    site.install("acme-nodes", 'NODE_TYPES = [made("acme.hello"), made("log", example="")]')
    site.found()
    module = sys.modules["acme_nodes"]
    told = flaws(module.NODE_TYPES)
    assert [each.partition(":")[0] for each in told] == ["number 2", "number 2"]
    assert flaws([module.made("acme.a"), module.made("acme.b")]) == []
    assert len(flaws([module.made("acme.a"), module.made("acme.a")])) == 2
    assert flaws([module.made("http.request")]) == [
        "http.request: Flowrunner has a node type of that name itself"
    ]
    times = {"attempt_timeout": -5, "heartbeat": "5s", "retry": RetryDefaults(attempts=0)}
    told = flaws([module.made("acme.a", **times)])
    assert [each.split()[3] for each in told] == list(times)
    assert told[0] == "number 1: its attempt_timeout is -5; expected a number of seconds over 0"
    wrong = module.made("acme.a", example="flow: x\nnodes:\n  a: {type: acme.a, parms: {}}\n")
    (only,) = flaws([wrong])
    assert only.startswith("acme.a: its example has a problem: 3:")
