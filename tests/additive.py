"""Which migrations may run while the version before still serves.

That version reads and writes the tables as it knows them, so a migration may only add, and what it adds
must not be asked of who does not know it. And nobody may wait long, so that nothing reads a big table
under a lock.
"""

import re
from collections.abc import Iterator

from django.db import connection
from django.db.migrations import Migration, RunPython, RunSQL, SeparateDatabaseAndState
from django.db.migrations.operations import models as of_models
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.fields import AddField, AlterField, RemoveField, RenameField
from django.db.migrations.state import ProjectState
from django.db.models import Field

from hookline import __version__
from hookline.operations import AddIndexConcurrently

# The tables that grow with traffic, by their models.
BIG = {"event", "idempotencykey", "job", "attempt", "deadletter", "auditentry", "inboxmessage"}
# Made while there was no release, and so nobody who served meanwhile.
BEFORE_RELEASES = {"deliveries": 7, "hookline": 3, "tenants": 2}

TAKES_AWAY = (
    RemoveField, RenameField, of_models.DeleteModel, of_models.RenameModel, of_models.AlterModelTable,
)  # fmt: skip
HARMFUL_SQL = re.compile(
    r"\b(DROP\s+(TABLE|COLUMN)|RENAME|ALTER\s+COLUMN\s+\S+\s+(SET\s+DATA\s+)?TYPE|SET\s+NOT\s+NULL|"
    r"CREATE\s+(UNIQUE\s+)?INDEX(?!\s+CONCURRENTLY)|DROP\s+INDEX(?!\s+CONCURRENTLY)|"
    r"ADD\s+CONSTRAINT(?!.*NOT\s+VALID)|LOCK\s+TABLE|VACUUM\s+FULL|CLUSTER|UPDATE|DELETE\s+FROM)\b",
    re.IGNORECASE | re.DOTALL,
)


def is_before_releases(migration: Migration) -> bool:
    return int(migration.name[:4]) <= BEFORE_RELEASES[migration.app_label]


def faults_of(migration: Migration, state: ProjectState) -> Iterator[str]:
    """Why this migration may not run, in sentences; `state` is what it finds, and is changed by it."""
    for operation in migration.operations:
        for fault in _faults(operation, migration, state):
            yield f"{migration}: {fault}"
        operation.state_forwards(migration.app_label, state)


def _faults(operation: Operation, migration: Migration, state: ProjectState) -> Iterator[str]:
    match operation:
        case SeparateDatabaseAndState():
            for part in operation.database_operations:
                yield from _faults(part, migration, state)
        case AddField():
            yield from _faults_of_added(operation)
        case AlterField():
            yield from _faults_of_altered(operation, migration.app_label, state)
        case RunPython() | RunSQL():
            yield from _faults_of_own(operation)
        case of_models.IndexOperation():
            yield from _faults_of_index(operation, migration)
        case _ if isinstance(operation, TAKES_AWAY):
            yield from _faults_of_end(migration)


def _faults_of_own(operation: RunPython | RunSQL) -> Iterator[str]:
    if isinstance(operation, RunPython):
        yield "moves rows under a lock; let a chore do it, a few at a time"
    elif HARMFUL_SQL.search(str(operation.sql)):
        yield "its SQL takes away, reads a whole table, or moves rows"


def _faults_of_index(operation: of_models.IndexOperation, migration: Migration) -> Iterator[str]:
    if isinstance(operation, AddIndexConcurrently):
        if migration.atomic:
            yield "an index cannot be made concurrently in a transaction; say atomic = False"
    elif str(getattr(operation, "model_name", "")).lower() in BIG:
        yield "reads a big table under a lock; use AddIndexConcurrently, or constraints that are NOT VALID"


def _faults_of_end(migration: Migration) -> Iterator[str]:
    since = getattr(migration, "unused_since", "")
    if not since or _numbers(since) >= _numbers(__version__):
        yield "takes away what the version before still uses; say unused_since of an earlier release"


def _faults_of_added(operation: AddField) -> Iterator[str]:
    field = operation.field
    if not (field.null or field.has_db_default() or field.many_to_many):
        yield f"the version before writes no {operation.name}; give it null=True or a db_default"
    if (field.unique or getattr(field, "db_index", False)) and operation.model_name_lower in BIG:
        yield f"makes the index of {operation.name} under a lock; add it concurrently by itself"


def _faults_of_altered(operation: AlterField, app_label: str, state: ProjectState) -> Iterator[str]:
    before: Field[object, object] = state.models[app_label, operation.model_name_lower].fields[operation.name]
    after = operation.field
    if before.db_type(connection) != after.db_type(connection):
        yield f"changes the type of {operation.name}; add another column and move over"
    if before.null and not after.null:
        yield f"the version before may still write null to {operation.name}"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
