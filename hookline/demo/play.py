"""The present: customers publish now and then, through the API like any producer."""

import http.client
import itertools
import json
import logging
import random
import threading
from collections.abc import Sequence

from django.conf import settings

from hookline.demo.cast import Topic
from hookline.demo.history import key_of
from hookline.demo.players import Player
from hookline.lifecycle import stopping

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.8
FIRST_NUMBER = 40_000


def start(players: Sequence[Player]) -> None:
    threading.Thread(target=_run, args=[players], name="producers", daemon=True).start()


def _run(players: Sequence[Player]) -> None:
    dice, numbers = random.Random(), itertools.count(FIRST_NUMBER)
    while not stopping.wait(dice.expovariate(1 / PAUSE_SECONDS)):
        try:
            _publish(dice.choice(players), dice, next(numbers))
        except OSError as fault:
            logger.debug("Nothing was published: %s", fault)  # the server is about to start, or to stop


def _publish(player: Player, dice: random.Random, number: int) -> None:
    topics = [topic for topic in player.customer.topics if topic.ended is None]
    topic: Topic = dice.choices(topics, [topic.weight for topic in topics])[0]
    payload = topic.make(dice, number)
    event = {"topic": topic.name, "payload": payload, "idempotency_key": key_of(topic, payload)}
    server = http.client.HTTPConnection("127.0.0.1", settings.HL_PORT, timeout=5)
    try:
        headers = {"Authorization": f"Bearer {player.token}", "Content-Type": "application/json"}
        server.request("POST", "/v1/events", json.dumps(event), headers)
        server.getresponse().read()
    finally:
        server.close()
