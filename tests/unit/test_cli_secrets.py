"""`flowrunner secrets`: values go in by standard input or unseen, and never come out again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from claimcheck.keyring import KeyRing, new_key
from vault.vault import Vault

PROGRAM = str(Path(sys.executable).with_name("flowrunner"))
VALUE = "s3cr3t-value"
OLD, NEW = new_key("old"), new_key("new")


@dataclass
class Keeper:
    """A vault in a folder, and the command that is told of it."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.folder / "vault.json"

    def environment(self) -> dict[str, str]:
        ours = ("FLOWRUNNER_", "TEMPORAL_", "BLOB_STORAGE_", "CLAIM_CHECK_", "R2_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        own = {"FLOWRUNNER_VAULT": str(self.path), "FLOWRUNNER_VAULT_KEYS": OLD}
        return {**kept, **own, **self.settings}

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
        done = subprocess.run(
            [PROGRAM, "secrets", *arguments],
            env=self.environment(),
            cwd=self.folder,
            input=stdin.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=60,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, err
        assert "Traceback" not in err
        assert VALUE not in out + err
        return out, err

    def vault(self, *keys: str) -> Vault:
        return Vault(self.path, KeyRing.parse(",".join(keys or (OLD,))))


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path)


def test_a_secret_is_set_from_standard_input_changed_listed_and_removed(keeper: Keeper) -> None:
    out, err = keeper.run("set", "HR_TOKEN", stdin=f"{VALUE}\n")
    assert (out, err) == ("", f"HR_TOKEN has been set in {keeper.path}\n")
    assert keeper.vault().read("HR_TOKEN") == VALUE
    _, err = keeper.run("set", "HR_TOKEN", stdin=f"{VALUE}\nof two lines")
    assert err == f"HR_TOKEN has been changed in {keeper.path}\n"
    assert keeper.vault().read("HR_TOKEN") == f"{VALUE}\nof two lines"
    out, _ = keeper.run("list")
    heading, row = out.splitlines()
    assert heading.split() == ["NAME", "SET", "KEY"]
    assert (row.split()[0], row.split()[-1]) == ("HR_TOKEN", "old")
    out, _ = keeper.run("list", "--json")
    [told] = json.loads(out)
    assert (told["name"], told["key"], told["readable"]) == ("HR_TOKEN", "old", True)
    assert told["set"].endswith("Z")
    _, err = keeper.run("rm", "HR_TOKEN")
    assert err == f"HR_TOKEN has been removed from {keeper.path}\n"
    out, err = keeper.run("list")
    assert (out, err) == ("", f"the vault {keeper.path} has no secrets\n")
    assert keeper.run("list", "--json")[0] == "[]\n"


def test_rotating_leaves_the_old_key_without_use(keeper: Keeper) -> None:
    keeper.run("set", "HR_TOKEN", stdin=VALUE)
    keeper.settings["FLOWRUNNER_VAULT_KEYS"] = f"{NEW},{OLD}"
    _, err = keeper.run("rotate")
    assert err == f"1 secrets in {keeper.path} are encrypted with the key 'new'\n"
    assert keeper.vault(NEW).read("HR_TOKEN") == VALUE
    keeper.settings["FLOWRUNNER_VAULT_KEYS"] = OLD
    assert "is not in the key ring (old)" in keeper.run("rotate", code=2)[1]


def test_what_cannot_be_read_with_the_keys_at_hand_is_marked_and_not_added_to(
    keeper: Keeper,
) -> None:
    keeper.vault().write("HR_TOKEN", VALUE)
    keeper.vault(NEW, OLD).write("NEWER", VALUE)
    before = keeper.path.read_bytes()
    keeper.settings["FLOWRUNNER_VAULT_KEYS"] = NEW
    out, err = keeper.run("list")
    marked = {line.split()[0]: line.endswith("  cannot be read") for line in out.splitlines()[1:]}
    assert marked == {"HR_TOKEN": True, "NEWER": False}
    assert "add it to FLOWRUNNER_VAULT_KEYS" in err
    told = json.loads(keeper.run("list", "--json")[0])
    assert {one["name"]: one["readable"] for one in told} == {"HR_TOKEN": False, "NEWER": True}
    _, err = keeper.run("set", "THIRD", stdin=VALUE, code=2)
    assert "flowrunner secrets rotate" in err
    assert keeper.path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("set", "HR_TOKEN", VALUE), "", "a value is never an argument"),
        (("set", "HR_TOKEN", f"--{VALUE}"), "", "a value is never an argument"),
        (("set", "HR_TOKEN"), "", "the value has fewer than 4 characters"),
        (("set", "HR_TOKEN"), "abc\n", "the value has fewer than 4 characters"),
        (("set", "HR_TOKEN"), VALUE * 6000, "the value has more than 65,536 bytes"),
        (("set", "HR_TOKEN"), f"\udcff{VALUE}", "the value is not text in UTF-8"),
        (("set", "hr-token"), VALUE, "did you mean HR_TOKEN?"),
        (("set", "7"), VALUE, "no secret can be called '7'"),
        (("rm", "HR_TOKEN"), "", "there is no secret 'HR_TOKEN'"),
    ],
    ids=range(9),
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    keeper: Keeper, arguments: tuple[str, ...], stdin: str, said: str
) -> None:
    keeper.vault().write("HR_TOKENS", VALUE)
    before = keeper.path.read_bytes()
    _, err = keeper.run(*arguments, stdin=stdin, code=2)
    assert said in err
    assert keeper.path.read_bytes() == before


def test_a_name_that_is_misspelt_is_guessed(keeper: Keeper) -> None:
    keeper.vault().write("HR_TOKEN", VALUE)
    assert "did you mean HR_TOKEN?" in keeper.run("rm", "HR_TOKN", code=2)[1]


def test_without_a_vault_the_settings_for_one_are_told(keeper: Keeper) -> None:
    keeper.settings.update(FLOWRUNNER_VAULT="", FLOWRUNNER_VAULT_KEYS="")
    for command in (("list",), ("set", "HR_TOKEN"), ("rm", "HR_TOKEN"), ("rotate",)):
        assert "FLOWRUNNER_VAULT: nothing is set" in keeper.run(*command, code=2)[1]


def test_a_file_that_is_no_vault_is_told(keeper: Keeper) -> None:
    keeper.path.write_text(VALUE)
    _, err = keeper.run("set", "HR_TOKEN", stdin="another-value", code=2)
    assert err.startswith(f"flowrunner: the vault {keeper.path}: this is no vault")
    assert keeper.path.read_text() == VALUE


def test_a_new_key_can_be_used_at_once_and_needs_no_settings(keeper: Keeper) -> None:
    keeper.settings["FLOWRUNNER_VAULT"] = "not/absolute"
    key = keeper.run("new-key", "k7")[0]
    assert KeyRing.parse(key).ids == ["k7"]
    keeper.settings.update(FLOWRUNNER_VAULT=str(keeper.path), FLOWRUNNER_VAULT_KEYS=key)
    keeper.run("set", "HR_TOKEN", stdin=VALUE)
    assert keeper.vault(key).read("HR_TOKEN") == VALUE


ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def _typed(keeper: Keeper, *lines: str) -> tuple[int, str]:
    """How `secrets set HR_TOKEN` ends on a terminal, and all that the terminal showed."""
    command = [sys.executable, "-c", ON_A_TERMINAL, PROGRAM, "secrets", "set", "HR_TOKEN"]
    shown, sent = b"", 0
    with subprocess.Popen(
        command, env=keeper.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            while more := running.stdout.read(4096):
                shown += more
                if sent < min(len(lines), len(re.findall(rb"(?:HR_TOKEN|more): ", shown))):
                    running.stdin.write(f"{lines[sent]}\n".encode())
                    sent += 1
        except BaseException:
            running.kill()
            raise
    return running.returncode, shown.decode()


def test_on_a_terminal_the_value_is_asked_for_twice_and_not_shown(keeper: Keeper) -> None:
    code, shown = _typed(keeper, VALUE, VALUE)
    assert code == 0, shown
    assert "Value of HR_TOKEN: " in shown
    assert "Once more: " in shown
    assert VALUE not in shown
    assert keeper.vault().read("HR_TOKEN") == VALUE


def test_on_a_terminal_a_slip_is_asked_again(keeper: Keeper) -> None:
    code, shown = _typed(keeper, VALUE, "s3cr3t-valeu", VALUE, VALUE)
    assert code == 0, shown
    assert keeper.vault().read("HR_TOKEN") == VALUE


def test_what_the_page_says_of_the_vault_works(keeper: Keeper, project_root: Path) -> None:
    page = (project_root / "docs" / "howto" / "secrets.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## Keep them in a vault")
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
    assert script.count("flowrunner secrets") >= 7
    (keeper.folder / "deploy_key").write_text(f"{VALUE} to deploy\n")
    environment = {
        name: value
        for name, value in keeper.environment().items()
        if not name.startswith("FLOWRUNNER_VAULT")
    }
    environment["PATH"] = f"{Path(PROGRAM).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["sh", "-euc", script],
        env={**environment, "HR_TOKEN": VALUE},
        cwd=keeper.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split()[-1] == "next"
    assert VALUE not in done.stdout + done.stderr
    assert (keeper.folder / "vault-keys").stat().st_mode & 0o777 == 0o600
    keys = (keeper.folder / "vault-keys").read_text()
    assert keeper.vault(keys.strip()).read("HR_TOKEN") == VALUE
