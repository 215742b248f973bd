"""The queue: rows of `jobs` that are claimed, settled, released, rescued and requeued.

No other code changes a job's status once intake has inserted it, and every change of a claimed
job is fenced: it says `AND claim_id = …`, so a worker that lost its lease changes nothing.

    claim.py     takes due jobs, fairly and within the limits
    settle.py    ends claims: settles what was sent, releases what was not, rescues what was lost
    requeue.py   sends dead jobs round again
    postgres.py  the statements of either store,
    sqlite.py    function by function the same

Locks are taken in one order, so that nothing deadlocks: jobs by id, then lanes by endpoint. The
claim takes lanes first but waits for nothing (SKIP LOCKED).
"""
