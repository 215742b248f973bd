"""What it costs others when an operator sends very many dead letters again."""

import time
from datetime import timedelta

from deliveries.models import DeadLetter, Run
from deliveries.runs import control
from deliveries.runs.selection import Selection
from hookline.bench import seed
from hookline.bench.ages import ages_of, percentiles
from hookline.bench.stage import Meter, Stage, serving
from hookline.database import now

Figures = dict[str, float]

BY = "bench"
RATE = 500


def requeueing(stage: Stage) -> Figures:
    """100 events a second of one tenant while a run sends 100,000 dead letters of another again, 500 a
    second to 20 endpoints. It is paused every other five seconds, which makes the figures of `alone`."""
    seed.targets("default", stage.receiver_url("timed"), 1)
    letters = stage.some(100_000)
    seed.buried(seed.targets("failed", stage.receiver_url("fast"), 20), letters, now() - timedelta(days=1))
    seed.settle_statistics()
    alone, beside, seconds = list[float](), list[float](), 0.0
    with serving(HL_WEB_WORKERS=1, HL_WORKER_PROCESSES=2) as pid:
        preview_ms = _preview_ms()
        run = control.pause(control.start(Run.Verb.REQUEUE, "failed", Selection(), RATE, BY), BY)
        meter = Meter(pid)
        while not run.is_over:
            alone += ages_of(stage, 100, stage.seconds(5))
            began = time.monotonic()
            control.resume(run, BY)
            beside += ages_of(stage, 100, stage.seconds(5))
            run.refresh_from_db()
            if not run.is_over:
                control.pause(run, BY)
            seconds += time.monotonic() - began
        use = meter.use()
    figures = percentiles(alone, "_alone") | percentiles(beside, "_beside")
    return figures | {
        "preview_ms": preview_ms,
        "letters_per_second": run.done_count / seconds,
        "cpu_us_in_all": use.cpu / letters * 1e6,
        "left": DeadLetter.objects.count(),
    }


def _preview_ms() -> float:
    began = time.monotonic()
    control.dry_run(Run.Verb.REQUEUE, "failed", Selection())
    return (time.monotonic() - began) * 1000
