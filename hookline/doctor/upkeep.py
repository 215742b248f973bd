"""What makes PostgreSQL slow over weeks: no vacuum, transactions that stay open, connections that run out."""

from django.conf import settings

from hookline.doctor.findings import Ask, Findings, error, ok, warning

LONG_MINUTES = 10
# Half of the two thousand million at which PostgreSQL stops taking writes.
OLD_TRANSACTIONS = 1_000_000_000
FEW_CONNECTIONS = 0.85
# A table that is swept clean all the time has many dead rows for a moment.
MANY_DEAD = 1_000_000

SETTINGS = "SELECT name, setting FROM pg_settings WHERE name IN ('autovacuum', 'track_counts')"
UNVACUUMED = """
SELECT relname::text, n_dead_tup FROM pg_stat_user_tables
WHERE n_dead_tup > %s AND n_dead_tup > n_live_tup AND schemaname = ANY(current_schemas(false))
ORDER BY n_dead_tup DESC LIMIT 3
"""
SWITCHED_OFF = """
SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND 'autovacuum_enabled=false' = ANY(c.reloptions)
  AND n.nspname = ANY(current_schemas(false)) ORDER BY 1
"""
LONG_OPEN = """
SELECT pid, coalesce(usename, '')::text, coalesce(state, '?')::text,
       extract(epoch FROM clock_timestamp() - xact_start)::float8
FROM pg_stat_activity
WHERE xact_start < clock_timestamp() - make_interval(mins => %s) AND pid <> pg_backend_pid()
  AND backend_type = 'client backend'
ORDER BY xact_start LIMIT 3
"""
PREPARED = """
SELECT gid::text, extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts
WHERE prepared < clock_timestamp() - make_interval(mins => %s) ORDER BY prepared LIMIT 3
"""
AGE = "SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()"
CONNECTIONS = """
SELECT count(*),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


def vacuum(ask: Ask) -> Findings:
    off = [name for name, value in ask(SETTINGS) if value == "off"]
    for name in off:
        yield error(
            f"{name} is off: dead rows pile up, and every claim gets slower.",
            f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();",
        )
    for (table,) in ask(SWITCHED_OFF):
        yield error(
            f"autovacuum is off for table {table}.", f'ALTER TABLE "{table}" RESET (autovacuum_enabled);'
        )
    for table, dead in ask(UNVACUUMED, [MANY_DEAD]):
        yield warning(
            f"Table {table} has {dead:,} dead rows, more than live ones.", f'VACUUM ANALYZE "{table}";'
        )
    [(age,)] = ask(AGE)
    if age > OLD_TRANSACTIONS:
        yield error(
            f"The oldest row is {age:,} transactions old; at 2,000,000,000 PostgreSQL takes no more writes.",
            "VACUUM FREEZE; and end what keeps vacuum from it: long transactions, replication slots.",
        )
    elif not off:
        yield ok("Autovacuum is on.")


def transactions(ask: Ask, minutes: int = LONG_MINUTES) -> Findings:
    found = ask(LONG_OPEN, [minutes])
    for pid, user, state, seconds in found:
        yield warning(
            f"A transaction of {user} has been open for {seconds / 60:,.0f} minutes ({state}): "
            "vacuum can remove nothing that died since.",
            f"See what process {pid} of PostgreSQL does, and end it: SELECT pg_terminate_backend({pid});",
        )
    prepared = ask(PREPARED, [minutes])
    for gid, seconds in prepared:
        yield warning(
            f"A prepared transaction has been open for {seconds / 60:,.0f} minutes; HookLine makes none.",
            f"ROLLBACK PREPARED '{gid}';",
        )
    if not found and not prepared:
        yield ok(f"No transaction that can be seen has been open for {minutes} minutes.")


def connections(ask: Ask) -> Findings:
    [(used, most)] = ask(CONNECTIONS)
    wanted = (settings.HL_WEB_WORKERS + settings.HL_WORKER_PROCESSES) * settings.HL_STORE_POOL_SIZE
    if wanted > most:
        yield warning(
            f"The processes of this host alone may ask for {wanted:,} of {most} connections.",
            "Lower HL_STORE_POOL_SIZE, raise max_connections, or use PgBouncer (docs/pgbouncer.md).",
        )
    told = f"{used} of {most} connections are in use."
    if used > most * FEW_CONNECTIONS:
        yield warning(told, "Raise max_connections, or use PgBouncer (docs/pgbouncer.md).")
    else:
        yield ok(told)
