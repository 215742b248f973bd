"""Publishes events at a steady rate and keeps the books: which were accepted, and when.

Each has an idempotency key, under which it is sent again until it is accepted, as a careful producer does
who got no answer.
"""

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

TOPICS = 8
THREADS = 4
ANSWER_SECONDS = 15.0
PAUSE_SECONDS = 0.1


@dataclass
class Books:
    """`acked` holds the time of each 201, or of the 200 of a repeat, by the event's id. `refused` counts
    every other answer by its status, with 0 for none: of those nobody can say whether the event was
    stored."""

    acked: dict[str, float] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)


class Producer:
    def __init__(self, port: int, key: str, rate: float) -> None:
        self.port, self.key, self.books = port, key, Books()
        self.pause = THREADS / rate
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=[n], daemon=True) for n in range(THREADS)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        due = time.monotonic()
        while not self.stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + self.pause, time.monotonic() - 1)
            number += THREADS
            while not self._is_accepted(connection, number) and not self.stopping.wait(PAUSE_SECONDS):
                continue
        connection.close()

    def _is_accepted(self, connection: http.client.HTTPConnection, number: int) -> bool:
        try:
            return self._publish(connection, number)
        except (OSError, http.client.HTTPException):
            self.books.refused[0] += 1
            connection.close()
            return False

    def _publish(self, connection: http.client.HTTPConnection, number: int) -> bool:
        event = {
            "topic": f"chaos.{number % TOPICS}",
            "payload": {"number": number, "text": "x" * 200},
            "idempotency_key": str(number),
        }
        began = time.monotonic()
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        connection.request("POST", "/v1/events", json.dumps(event), headers)
        response = connection.getresponse()
        body = response.read()
        if response.status not in (http.HTTPStatus.CREATED, http.HTTPStatus.OK):
            self.books.refused[response.status] += 1
            return False
        self.books.acked[json.loads(body)["id"]] = time.time()
        self.books.milliseconds.append((time.monotonic() - began) * 1000)
        return True
