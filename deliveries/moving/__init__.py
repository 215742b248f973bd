"""One tenant to a file, and from a file, or from lists of an older HookLine's REST API.

write_out.py  the tenant as lines of JSON, each a document as the API tells it
source.py     what is taken in: such a file, or a directory of lists; either gives items
items.py      one document, and where it stands
set_up.py     the rows of keys, endpoints and subscriptions
past.py       the rows of events, jobs, attempts and dead letters
guessing.py   jobs, of which the lists say nothing
take_in.py    all of it in one transaction, or nothing
target.py     whom it is for, and what was noticed on the way
sealed.py     secrets under a passphrase
"""
