"""What the database's user may do. CREATE TABLE, INSERT, UPDATE, DELETE and SELECT are all that is needed,
and the first of them only to migrate."""

from django.apps import apps

from hookline.doctor.findings import Ask, Findings, error, ok, warning

OURS = ("tenants", "hookline", "deliveries", "auth", "admin", "contenttypes", "sessions")
NEEDED = ("SELECT", "INSERT", "UPDATE", "DELETE")

WHERE = """
SELECT current_user::text, current_database()::text, current_schema()::text,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
       has_database_privilege(current_database(), 'CREATE'), current_setting('server_version_num')::int,
       to_regclass('django_migrations') IS NOT NULL
"""
TABLES = """
SELECT c.relname::text, n.nspname::text, pg_has_role(c.relowner, 'USAGE'),
       has_table_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'INSERT'),
       has_table_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) AS name) ORDER BY 1
"""


def rights(ask: Ask) -> Findings:
    user, database, schema, may_create, may_add_schema, version, is_installed = ask(WHERE)[0]
    if not is_installed:
        yield from to_install(user, database, schema, may_create, may_add_schema, version)
        return
    tables = ask(TABLES, [_names()])
    schemas = sorted({row[1] for row in tables})
    yield ok(f"User {user} works in schema {', '.join(schemas) or schema}.")
    yield from _to_use(user, tables)
    if len(schemas) > 1:
        yield error(
            f"The tables are spread over schemas {', '.join(schemas)}: there may be two installations.",
            f'ALTER ROLE "{user}" SET search_path = …, with the one that is meant.',
        )
    yield from _to_upgrade(user, may_create, tables)


def to_install(
    user: str, database: str, schema: str | None, may_create: bool, may_add_schema: bool, version: int
) -> Findings:
    """Before the first migration."""
    if may_create:
        yield ok(f"User {user} may create the tables, in schema {schema}.")
    elif may_add_schema:
        yield ok(f"User {user} may create the tables, in a schema of the name {user} that migrating makes.")
    else:
        since = " Since PostgreSQL 15 only its owner may, unless told." if version >= 150_000 else ""
        yield error(
            f"User {user} may not create tables in schema {schema or 'public'}.{since}",
            f"As the owner, in database {database}: "
            f'GRANT USAGE, CREATE ON SCHEMA "{schema or "public"}" TO "{user}";',
        )


def _to_use(user: str, tables: list[tuple[object, ...]]) -> Findings:
    for position, right in enumerate(NEEDED, start=3):
        without = [f'"{row[1]}"."{row[0]}"' for row in tables if not row[position]]
        if without:
            yield error(
                f"User {user} may not {right} in {len(without)} tables, such as {without[0]}.",
                f'As the owner: GRANT {right} ON {", ".join(without)} TO "{user}";',
            )


def _to_upgrade(user: str, may_create: bool, tables: list[tuple[object, ...]]) -> Findings:
    if not may_create or not all(row[2] for row in tables):
        yield warning(
            f"User {user} can work and cannot migrate: it may not create tables, or does not own these.",
            "Run `manage.py migrate` as the owner of the tables when you upgrade.",
        )


def _names() -> list[str]:
    return [model._meta.db_table for app in OURS for model in apps.get_app_config(app).get_models()]
