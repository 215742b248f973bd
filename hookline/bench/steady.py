"""Whether a server that runs for long stays as large as it is."""

from hookline.bench import seed
from hookline.bench.ages import ages_of, percentiles
from hookline.bench.stage import Stage, largest, serving

TENANT = "default"
RATE = 300
# Until caches are full and every path was taken once.
WARM_UP_SECONDS = 60.0


def steady(stage: Stage) -> dict[str, float]:
    """300 events a second to 20 endpoints for 10 minutes: how old they are when they arrive, and by how many
    MB the largest web process and the largest worker process grew."""
    seed.targets(TENANT, stage.receiver_url("timed"), 1)
    seed.targets(TENANT, stage.receiver_url("fast"), 19)
    with serving(HL_WEB_WORKERS=1, HL_WORKER_PROCESSES=2) as pid:
        ages_of(stage, RATE, max(5.0, WARM_UP_SECONDS * stage.scale))
        web, worker = largest(pid, "web"), largest(pid, "worker")
        ages = ages_of(stage, RATE, max(5.0, 600 * stage.scale))
        figures = {
            "web_growth_mb": largest(pid, "web") - web,
            "worker_growth_mb": largest(pid, "worker") - worker,
        }
    return percentiles(ages) | figures | {"web_mb": web, "worker_mb": worker}
