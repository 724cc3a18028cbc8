"""`flowrunner test`, once or whenever something changes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from service.cli.composition import Composition
from service.cli.exits import ExitCode
from service.cli.flow_files import is_test_file, yaml_in
from service.cli.flow_tests import FileTried, coverages, find_tests, try_files
from service.cli.played_lines import Line
from service.cli.screen import note, print_json, stdout
from service.cli.test_report import as_json, coverage_lines, file_lines, junit, total_line
from service.errors import InputWrong
from service.settings import load_worker_settings
from simulator.coverage import Coverage

__all__ = ["Trying", "try_and_tell", "watch_and_try"]

_LOOK_EVERY = 0.3


@dataclass(frozen=True, kw_only=True)
class Trying:
    """What was asked for on the command line."""

    paths: tuple[str, ...]
    keyword: str | None
    coverage: bool
    fail_under: float | None
    junit: Path | None
    json: bool

    def where(self) -> list[str]:
        return list(self.paths) or [str(load_worker_settings().flows_dir)]


def try_and_tell(trying: Trying, composition: Composition) -> ExitCode:
    """Try everything, print it. Raises `InputWrong`."""
    catalogue = composition.catalogue()
    files = find_tests(trying.where())
    tried = try_files(files, catalogue, composition.performs(), keyword=trying.keyword)
    if trying.keyword is not None and not any(each.cases or each.problems for each in tried):
        raise InputWrong(f"no case has {trying.keyword!r} in its name or that of its file")
    found = coverages(tried) if trying.coverage else None
    if trying.junit is not None:
        _write(trying.junit, junit(tried, catalogue))
    if trying.json:
        print_json(as_json(tried, found))
    else:
        for each in tried:
            _print(*file_lines(each, catalogue))
        _print(*coverage_lines(found or ()) if found else (), total_line(tried))
    return _code(trying, tried, found or [])


def _code(trying: Trying, tried: list[FileTried], found: list[Coverage]) -> ExitCode:
    if any(each.problems for each in tried):
        return ExitCode.WRONG
    least = trying.fail_under
    low = [each for each in found if least is not None and each.percent < least]
    for each in low:
        note(f"{each.flow}: {each.percent:.1f}% is covered, less than {least:g}%")
    passed = all(each.passed for each in tried) and not low
    return ExitCode.OK if passed else ExitCode.FLOW_FAILED


def _print(*lines: Line) -> None:
    from rich.text import Text

    console = stdout()
    for text, style in lines:
        console.print(Text(text, style=style))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputWrong(f"{str(file)!r} cannot be written: {error.strerror}") from error


# -- again and again -------------------------------------------------------------------------------


def watch_and_try(trying: Trying, composition: Composition) -> None:
    """Until Ctrl-C."""
    seen: dict[Path, int] | None = None
    while True:
        now = _files(trying)
        if now != seen:
            seen = now
            try:
                try_and_tell(trying, composition)
            except InputWrong as error:
                note(f"flowrunner: {error}")
            note("watching; Ctrl-C ends it")
        time.sleep(_LOOK_EVERY)


def _files(trying: Trying) -> dict[Path, int]:
    """What may matter, and when it was last changed."""
    folders: dict[Path, None] = {load_worker_settings().flows_dir: None}
    for path in map(Path, trying.where()):
        here = path if path.is_dir() else path.parent
        folders |= dict.fromkeys((here, here / "tests", here.parent))
    found = [path for folder in folders if folder.is_dir() for path in _in(folder)]
    return {path: path.stat().st_mtime_ns for path in found if path.exists()}


def _in(folder: Path) -> list[Path]:
    return [*yaml_in(folder), *(path for path in folder.iterdir() if is_test_file(path))]
