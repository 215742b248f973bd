#!/usr/bin/env python
"""Every command of the installation: `manage.py help` lists them."""

import os
import sys

from django.core.management import execute_from_command_line

from hookline.environment import environment


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.settings")
    # The settings read secrets, so what makes them has to be known before.
    environment.makes_secrets = sys.argv[1:2] == ["serve"]
    environment.bears_problems = sys.argv[1:2] == ["doctor"]
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
