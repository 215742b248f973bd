"""docs/configuration.md holds every variable, and no document names another."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from hookline.environment import FOR_CLIENTS, RETIRED, environment

ROOT = Path(settings.BASE_DIR)
PAGE = ROOT / "docs/configuration.md"
ANEW = "env -i .venv/bin/python manage.py settings > docs/configuration.md"
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_the_page_is_that_of_the_settings() -> None:
    command = [sys.executable, "manage.py", "settings"]
    page = subprocess.check_output(command, env={"PATH": os.defpath}, cwd=ROOT, text=True)

    assert page == PAGE.read_text(), f"A setting has changed. Write its page anew: {ANEW}"


def test_every_variable_has_a_concern_and_a_sentence() -> None:
    assert all(variable.concern and variable.meaning for variable in environment.variables)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_no_variable_that_there_is_not(document: Path) -> None:
    known = {variable.name for variable in environment.variables} | RETIRED | FOR_CLIENTS

    assert set(re.findall(r"\bHL_[A-Z_]+[A-Z]\b", document.read_text())) <= known
