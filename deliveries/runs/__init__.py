"""Runs: a verb for many dead letters or many events, in the background, a small step at a time.

    selection.py  which dead letters, or which events and for whom
    walk.py       goes through rows of one tenant after another, oldest first
    letters.py    the walk through dead letters: requeues or discards them
    events.py     the walk through events: replays them
    verbs.py      which walk a verb takes
    groups.py     dead letters counted by what they have in common
    preview.py    what a run would do, counted up to a limit
    control.py    starts, pauses, resumes and cancels runs
    work.py       takes the steps, in the sweep of every worker
    outlook.py    how far a run has come, and how long it may take
    told.py       runs and previews as documents
    shell.py      runs from a shell

A step is one transaction: the rows of its batch, how far the run has come and, at the end, the
audit entry. So a killed worker leaves nothing half done, nothing is done twice and nothing is
passed over. A worker claims a run for one step (`claim_id` and a lease, by the database's clock),
and its transaction begins with `claim_id = …` on the locked row: a worker that was thought dead
changes nothing.

Locks are taken in one order: the run, then events by id, jobs by id, and the tenant last.
"""
