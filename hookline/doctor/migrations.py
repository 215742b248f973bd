"""Whether the tables are those of this program."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from hookline.doctor.findings import Findings, error, many, ok, warning

SHOWN = 3


def migrations() -> Findings:
    executor = MigrationExecutor(connection)
    loader = executor.loader
    waiting = [f"{m.app_label}.{m.name}" for m, _ in executor.migration_plan(loader.graph.leaf_nodes())]
    applied = loader.applied_migrations
    unknown = sorted(f"{app}.{name}" for app, name in applied if (app, name) not in loader.disk_migrations)
    if not applied:
        yield warning(
            "There are no tables yet.", "`manage.py serve` makes them; so does `manage.py migrate`."
        )
    elif waiting:
        yield error(
            f"{many(len(waiting), 'migration waits', 'migrations wait')}: {_some(waiting)}.",
            "manage.py migrate",
        )
    else:
        yield ok("The tables are those of this program.")
    if unknown:
        yield warning(
            f"A newer program has migrated the store: {_some(unknown)}.",
            "Upgrade this program, too; the old one works until the next release.",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
