"""The benchmark: HookLine under load on servers of its own, beside what a team would write otherwise.

stage       the servers, the processes under test, what they use of the machine
producer    publishes over HTTP, as fast as it is answered or at a steady rate
receiver    takes deliveries, faster than they can be sent
ages        how old events are when they arrive
seed        fills the store with what a scenario starts from
scenarios   what is measured
keeping     the same, of retention
scraping    the same, of /metrics
steady      the same, of a server that runs for long
again       the same, of dead letters that are sent again
browsing    the same, of the console's pages
limits      whether they hold
targets     what the figures are meant to be
naive       one Celery task for each delivery, one serializer for each event
report      medians, the table, the JSON file
"""
