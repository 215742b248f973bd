"""What a document tells people to type, typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.live import ROOT
from tests.serving import Serving


def blocks_of(document: str) -> list[str]:
    """Its blocks of shell lines, in order."""
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


def typed(block: str, serving: Serving, **environment: str) -> str:
    """What comes out when it is pasted into a shell beside the data of `serving`."""
    text = block.replace("localhost:8080", f"localhost:{serving.port}")
    text = text.replace(".venv/bin/python", sys.executable).replace("manage.py", str(ROOT / "manage.py"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HL_")}
    place: Path = serving.data.parent
    return subprocess.check_output(["bash", "-ec", text], env=kept | environment, cwd=place, encoding="utf-8")
