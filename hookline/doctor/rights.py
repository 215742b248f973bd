"""What the database's user may do. CREATE TABLE, INSERT, UPDATE, DELETE and SELECT are all that is needed,
and the first of them only to migrate."""

from typing import NamedTuple

from django.apps import apps

from hookline.doctor.findings import Ask, Findings, error, ok, warning

OURS = ("tenants", "hookline", "deliveries", "auth", "admin", "contenttypes", "sessions")
NEEDED = ("SELECT", "INSERT", "UPDATE", "DELETE")

WHERE = """
SELECT current_user::text, current_database()::text, current_schema()::text,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
       has_database_privilege(current_database(), 'CREATE'), current_setting('server_version_num')::int,
       to_regclass('django_migrations') IS NOT NULL, current_setting('search_path')
"""
TABLES = """
SELECT c.relname::text, n.nspname::text, pg_has_role(c.relowner, 'USAGE'),
       has_table_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'INSERT'),
       has_table_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) AS name) ORDER BY 1
"""


class Standing(NamedTuple):
    """Where the user is, and what it may do there."""

    user: str
    database: str
    schema: str | None
    may_create: bool
    may_add_schema: bool
    version: int
    is_installed: bool
    search_path: str


def rights(ask: Ask) -> Findings:
    standing = Standing(*ask(WHERE)[0])
    if standing.schema is None and not standing.search_path.strip('"'):
        yield error(
            "The search_path of this connection is empty: somebody ran pg_dump through the pooler.",
            "RECONNECT in the console of PgBouncer; and run it directly, as docs/pgbouncer.md says.",
        )
    elif standing.is_installed:
        yield from _in_use(ask, standing)
    else:
        yield from _before_use(standing)


def _before_use(standing: Standing) -> Findings:
    """Before the first migration."""
    user, schema = standing.user, standing.schema or "public"
    if standing.may_create:
        yield ok(f"User {user} may create the tables, in schema {schema}.")
    elif standing.may_add_schema:
        yield ok(f"User {user} may create the tables, in a schema of the name {user} that migrating makes.")
    else:
        since = " Since PostgreSQL 15 only its owner may, unless told." if standing.version >= 150_000 else ""
        yield error(
            f"User {user} may not create tables in schema {schema}.{since}",
            f"As the owner, in database {standing.database}: "
            f'GRANT USAGE, CREATE ON SCHEMA "{schema}" TO "{user}";',
        )


def _in_use(ask: Ask, standing: Standing) -> Findings:
    tables = ask(TABLES, [_names()])
    schemas = sorted({row[1] for row in tables})
    yield ok(f"User {standing.user} works in schema {', '.join(schemas)}.")
    yield from _to_use(standing.user, tables)
    if len(schemas) > 1:
        yield error(
            f"The tables are spread over schemas {', '.join(schemas)}: there may be two installations.",
            f'ALTER ROLE "{standing.user}" SET search_path = …, with the one that is meant.',
        )
    if not standing.may_create or not all(row[2] for row in tables):
        yield warning(
            f"User {standing.user} can work and cannot migrate: it may not create tables, or owns not all.",
            "Run `manage.py migrate` as the owner of the tables when you upgrade.",
        )


def _to_use(user: str, tables: list[tuple[object, ...]]) -> Findings:
    for position, right in enumerate(NEEDED, start=3):
        without = [f'"{row[1]}"."{row[0]}"' for row in tables if not row[position]]
        if without:
            yield error(
                f"User {user} may not {right} in {len(without)} tables, such as {without[0]}.",
                f'As the owner: GRANT {right} ON {", ".join(without)} TO "{user}";',
            )


def _names() -> list[str]:
    return [model._meta.db_table for app in OURS for model in apps.get_app_config(app).get_models()]
