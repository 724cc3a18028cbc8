"""Finding the flows a command names: files, and those in FLOWS_DIR."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from flowspec.problems import FlowInvalid
from flowspec.source import read_yaml
from flowspec.values import JsonObject
from service.errors import InputWrong
from service.settings import load_worker_settings

__all__ = [
    "FlowFile",
    "file_of",
    "files_in",
    "in_flows_dir",
    "is_file",
    "is_test_file",
    "known_input",
    "read_file",
    "read_flow",
    "yaml_in",
]

_SUFFIXES = (".yaml", ".yml")
_TEST_SUFFIXES = (".test.yaml", ".test.yml")


@dataclass(frozen=True, kw_only=True)
class FlowFile:
    """A flow's text, and its file as the user wrote it."""

    file: str
    text: str


def is_file(target: str) -> bool:
    """Whether a FILE_OR_NAME is a file; anything else is a flow's name."""
    return target.endswith(_SUFFIXES) or Path(target).is_file()


def read_file(name: str) -> FlowFile:
    """Raises `InputWrong`."""
    try:
        return FlowFile(file=name, text=Path(name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputWrong(f"there is no file {name!r}{_near(name)}") from error
    except OSError as error:
        raise InputWrong(f"the file {name!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputWrong(f"the file {name!r} is not UTF-8 text") from error


def read_flow(name: str) -> FlowFile:
    """Raises `InputWrong`, also for tests of flows."""
    if is_test_file(Path(name)):
        raise InputWrong(f"{name!r} holds tests, and no flow; `flowrunner test {name}` runs them")
    return read_file(name)


def known_input(flow: str) -> JsonObject | None:
    """The schema of the input of a flow in FLOWS_DIR, as it is written there; None if there is no
    such flow here, or nothing to be made of it: the worker may have another."""
    try:
        written = read_yaml(read_file(file_of(flow)).text).data
    except (InputWrong, FlowInvalid):
        return None
    schema = written.get("input") if isinstance(written, dict) else None
    return schema if isinstance(schema, dict) else None


def in_flows_dir(flow: str) -> bool:
    """Whether FLOWS_DIR, as it is set here, has a flow of that name."""
    return _in_flows_dir(flow) is not None


def yaml_in(folder: Path) -> list[Path]:
    """The flows of a folder: its YAML files that are no tests."""
    files = (path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    return sorted(path for path in files if not is_test_file(path))


def is_test_file(path: Path) -> bool:
    return path.name.endswith(_TEST_SUFFIXES)


def files_in(name: str) -> list[str]:
    """The file itself, or the flows of a folder; raises `InputWrong` if there are none."""
    folder = Path(name)
    if not folder.is_dir():
        return [name]
    found = [str(path) for path in yaml_in(folder)]
    if not found:
        raise InputWrong(f"there are no .yaml or .yml files in {name!r}")
    return found


def file_of(flow: str) -> str:
    """That of a flow in FLOWS_DIR; raises `InputWrong`."""
    if (found := _in_flows_dir(flow)) is not None:
        return str(found)
    folder = load_worker_settings().flows_dir
    names = [path.stem for path in yaml_in(folder)] if folder.is_dir() else []
    near = _files_called(flow) or get_close_matches(flow, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    missing = "no flow of that name in" if folder.is_dir() else "no folder"
    raise InputWrong(
        f"there is no file {flow!r}, and {missing} {str(folder)!r} (FLOWS_DIR){hint}\n"
        "Give a file, or set FLOWS_DIR to the folder of your flows."
    )


def _in_flows_dir(flow: str) -> Path | None:
    folder = load_worker_settings().flows_dir
    files = (folder / f"{flow}{suffix}" for suffix in _SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def _files_called(flow: str) -> list[str]:
    """Files of that name here, and in the folders here."""
    here = [f"{flow}{suffix}" for suffix in _SUFFIXES if Path(f"{flow}{suffix}").is_file()]
    below = sorted(Path().glob(f"*/{glob.escape(Path(flow).name)}.y*ml"))
    return here + [str(path) for path in below if path.suffix in _SUFFIXES]


def _near(name: str) -> str:
    path = Path(name)
    if not path.parent.is_dir():
        return f": there is no folder {str(path.parent)!r}"
    names = [one.name for one in yaml_in(path.parent)]
    near = get_close_matches(path.name, names, n=1)
    return f"; did you mean {str(path.parent / near[0])!r}?" if near else ""
