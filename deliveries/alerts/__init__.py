"""Tells the operator what is amiss, once, and when it is over.

    conditions.py  what is amiss at this moment, from the store
    book.py        what of that is new, worse, or over, for all processes together
    sentences.py   how it is said, and what to do about it
    channels.py    a webhook, Slack, mail: one notice over one of them, or why not
    notices.py     tells what is still to be told, and tries again later

Nothing here stands in the way of deliveries: a thread of its own looks (`deliveries/watch.py`), in web
processes too, so that somebody can tell when no worker is left.
"""
