"""How PostgreSQL keeps the tables that change all the time.

Queue rows are updated two or three times and then rest; bells live for milliseconds. Without
this, dead rows pile up until a fifth of a table is dead, and every claim walks over them.
"""

from django.db import migrations

from hookline.operations import PostgresSQL

VACUUM_OFTEN = "autovacuum_vacuum_cost_delay = 0, autovacuum_vacuum_scale_factor"

STORAGE = {
    # Room on each page for the next version of a row, so that it stays where the index points.
    "jobs": f"fillfactor = 80, {VACUUM_OFTEN} = 0.01, autovacuum_analyze_scale_factor = 0.02",
    "lanes": f"fillfactor = 50, {VACUUM_OFTEN} = 0.02, autovacuum_vacuum_threshold = 1000",
    "bells": f"{VACUUM_OFTEN} = 0.05, autovacuum_vacuum_threshold = 2000",
    "counters": f"fillfactor = 50, {VACUUM_OFTEN} = 0.1",
    # Only ever added to and pruned: statistics must follow growth sooner than at a tenth.
    "events": "autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02",
    "attempts": "autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02",
}

# Attempts are stored nearly in the order of their time, which is what a BRIN index is for: it finds
# the last minutes as a B-tree does, and costs next to nothing when an attempt is written.
LATEST_ATTEMPTS = """
DROP INDEX attempts_started;
CREATE INDEX attempts_started ON attempts USING brin (started_at)
  WITH (pages_per_range = 32, autosummarize = on);
"""


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0001_initial"), ("hookline", "0001_initial")]

    operations = [
        *(
            PostgresSQL(f"ALTER TABLE {table} SET ({parameters})", migrations.RunSQL.noop)
            for table, parameters in STORAGE.items()
        ),
        PostgresSQL(LATEST_ATTEMPTS, migrations.RunSQL.noop),
    ]
