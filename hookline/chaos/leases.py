"""Watches how long leases stay when they have ended: that is how late a dead worker's jobs come back."""

import sqlite3
import threading

import psycopg

from hookline.chaos.fleet import Fleet

LOOK_SECONDS = 0.25
OVERDUE_POSTGRES = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - lease_until)), 0) FROM jobs
WHERE status = 'running'
"""
OVERDUE_SQLITE = """
SELECT coalesce(max(julianday('now') - julianday(lease_until)) * 86400, 0) FROM jobs
WHERE status = 'running'
"""


class Watch:
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.overdue_seconds = 0.0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def end(self) -> float:
        self.stopping.set()
        self.thread.join()
        return self.overdue_seconds

    def _run(self) -> None:
        sql = OVERDUE_POSTGRES if self.fleet.environ["HL_POSTGRES_URL"] else OVERDUE_SQLITE
        while not self.stopping.wait(LOOK_SECONDS):
            try:
                self.overdue_seconds = max(self.overdue_seconds, float(self.fleet.rows(sql)[0][0]))
            except (psycopg.Error, sqlite3.Error):  # it is away, as the scenario wants
                continue
