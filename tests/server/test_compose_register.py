"""The script that prepares Temporal in the Compose file, against a real server."""

from __future__ import annotations

import os
import subprocess
import uuid

from tests.server.support import ROOT, TemporalServer, clean_environment, temporal_binary

ATTRIBUTES = ("FlowName", "FlowVersion", "FlowStatus", "FlowLabels")


def test_register_makes_namespace_and_search_attributes_and_may_run_again(
    temporal_server: TemporalServer,
) -> None:
    namespace = f"made-{uuid.uuid4().hex[:8]}"
    env = clean_environment(TEMPORAL_ADDRESS=temporal_server.address, TEMPORAL_NAMESPACE=namespace)
    env["PATH"] = f"{temporal_binary().parent}{os.pathsep}{env['PATH']}"
    for _ in range(2):
        done = _run(["sh", str(ROOT / "docker" / "register.sh")], env)
        assert done.returncode == 0, done.stdout + done.stderr
    listed = _run(["temporal", "operator", "search-attribute", "list"], env).stdout
    assert [name for name in ATTRIBUTES if name not in listed] == []


def _run(argv: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
