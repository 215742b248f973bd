"""A running installation to look at: made-up customers, their receivers, three days of history and steady
traffic. It lives in a directory of its own, and nothing of it is left when it ends."""
