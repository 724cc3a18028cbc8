"""`python -m tests.chaos [--faults N] [--seed N]`: the long run, which `make chaos` starts.

Prints every fault as it strikes, a table at the end, and writes everything into a folder, logs and
JSON. Ends with 1 if anything was lost, repeated or mixed up that should not have been.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.campaign import Campaign, Plan
from tests.chaos.report import as_json, table
from tests.chaos.versions import unpacked, version_before
from tests.s3 import start_s3
from tests.server.support import ROOT


def main() -> None:
    told = _arguments()
    folder = told.folder or Path(tempfile.mkdtemp(prefix="flowrunner-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    _tell(f"seed {told.seed}; logs are in {folder}")
    old = None if told.old == "none" else told.old or version_before()
    _tell(f"the other version: {old or 'none, so no such faults'}")
    plan = Plan(
        faults=told.faults,
        seed=told.seed,
        a_round=min(50, max(10, told.faults // 3)),
        tree=told.tree.absolute(),
        old=unpacked(old, folder / "old") if old else None,
    )
    with start_s3(folder) as s3:
        campaign = Campaign(plan=plan, folder=folder, s3=s3, tell=_tell)
        begun = time.monotonic()
        try:
            asyncio.run(campaign.run())
        finally:  # also of a campaign that was broken off
            _write(campaign, folder / "chaos.json", time.monotonic() - begun)
    if campaign.findings:
        print("", *campaign.findings, f"again: --faults {told.faults} --seed {told.seed}", sep="\n")
        sys.exit(1)


def _write(campaign: Campaign, file: Path, seconds: float) -> None:
    file.write_text(json.dumps(as_json(campaign, seconds=seconds), indent=2))
    print(f"\n{table(campaign)}\nwritten to {file}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=500, help="how many (default 500)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--folder", type=Path, help="where logs and the JSON go; must be empty")
    parser.add_argument("--old", help="the commit of the other version, or 'none'")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the product; default this one")
    return parser.parse_args()


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


if __name__ == "__main__":
    main()
