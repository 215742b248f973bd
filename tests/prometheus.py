"""A Prometheus for a while, that scrapes a server of the tests and evaluates our rules."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode

from hookline import throwaway
from hookline.throwaway import Missing

PATIENCE_SECONDS = 60.0
OFTEN = "200ms"


def prometheus_program() -> str:
    found = shutil.which("prometheus")
    if found is None or shutil.which("promtool") is None:
        raise Missing("Prometheus is not installed.")
    return found


class Prometheus(throwaway.Server):
    """Asks often, so that a test need not wait for what a dashboard shows."""

    def __init__(self, target: int, rules: Path) -> None:
        path, port = throwaway._server_directory(), throwaway.free_port()
        shutil.copy(rules, path / "rules.yml")
        config = {
            "global": {"scrape_interval": OFTEN, "scrape_timeout": OFTEN, "evaluation_interval": OFTEN},
            "rule_files": [str(path / "rules.yml")],
            "scrape_configs": [
                {"job_name": "hookline", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
            ],
        }
        (path / "prometheus.yml").write_text(json.dumps(config))  # which is YAML, too
        for file in path.iterdir():
            file.chmod(0o644)
        options = [f"--config.file={path}/prometheus.yml", f"--storage.tsdb.path={path}/data"]
        super().__init__(
            path, port, [prometheus_program(), *options, f"--web.listen-address=127.0.0.1:{port}"]
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What it answers, at this moment."""
        result: list[dict[str, Any]] = self._get("query", query=expression)["data"]["result"]
        return result

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self._get("rules")["data"]["groups"] for rule in group["rules"]]

    def wait_for(self, expression: str) -> list[dict[str, Any]]:
        """What it answers, once that is something."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"Nothing for {expression}"
            time.sleep(0.1)
        return found

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            document: dict[str, Any] = json.load(answer)
        assert document["status"] == "success"
        return document

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def promtool(*arguments: str, cwd: Path) -> str:
    """Runs it; returns what it said, and fails the test if it was not content."""
    ended = subprocess.run(
        ["promtool", *arguments], cwd=cwd, env={"PATH": os.defpath + ":/usr/bin"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
