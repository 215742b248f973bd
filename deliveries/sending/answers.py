"""What an exchange came to, in the few words that clients know and a sentence for people.

Tenants read the sentences, so that none holds an address that a host name led to.
"""

from collections.abc import Sequence

import pycurl

from deliveries.work import Answer

NEVER_CONNECTED = [pycurl.E_COULDNT_CONNECT, pycurl.E_INTERFACE_FAILED]
BROKEN_OFF = [pycurl.E_OK, pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR, pycurl.E_GOT_NOTHING]
TLS = [
    pycurl.E_SSL_CONNECT_ERROR,
    pycurl.E_PEER_FAILED_VERIFICATION,
    pycurl.E_SSL_CERTPROBLEM,
    pycurl.E_SSL_CIPHER,
    pycurl.E_SSL_CACERT_BADFILE,
    pycurl.E_SSL_ISSUER_ERROR,
]
BAD_URL = [pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL]
TOO_LONG = [pycurl.E_WRITE_ERROR, 100]  # CURLE_TOO_LARGE, for which pycurl has no name

# What libcurl's results mean where no complete headers came.
FAILURES = {
    code: (word, sentence)
    for codes, word, sentence in [
        ([pycurl.E_COULDNT_RESOLVE_HOST], "dns", "The host name was not found; check its DNS records."),
        (
            [pycurl.E_OPERATION_TIMEDOUT],
            "dns",
            "The host name was not resolved in time; check its DNS servers.",
        ),
        (NEVER_CONNECTED, "connect", "No connection came about; check that the receiver is running."),
        (BROKEN_OFF, "connect", "The connection was broken off before an answer came."),
        (TLS, "tls", "The TLS handshake failed; check the receiver's certificate."),
        (BAD_URL, "protocol", "The URL cannot be used; correct it."),
        (TOO_LONG, "protocol", "The headers of the answer were too long."),
    ]
    for code in codes
}
NOT_HTTP = "protocol", "The answer was not HTTP; check that the URL leads to an HTTP server."

STATUSES = {
    2: None,
    3: ("redirect", "The receiver answered with a redirect, which is not followed; set the final URL."),
    4: ("http_4xx", "The receiver refused the request."),
    5: ("http_5xx", "The receiver failed."),
}
UNKNOWN_STATUS = "protocol", "The receiver answered with a status that HTTP does not know."

LONGEST_MESSAGE = 200


def judge(
    *,
    code: int,
    message: str,
    refusal: str,
    status: int,
    headers: Sequence[bytes],
    body: bytes,
    address: str,
    duration_ms: int,
) -> Answer:
    """The answer. Once all headers are in, the status decides, unless the deadline passed."""
    if code == pycurl.E_OPERATION_TIMEDOUT or not status:
        word, sentence = _failure(code, message, refusal, address, duration_ms)
        return Answer(0, word, sentence, (), b"", address, duration_ms)
    error, detail = STATUSES.get(status // 100, UNKNOWN_STATUS) or (None, "")
    detail = f"{detail} (HTTP {status})" if error else ""
    return Answer(status, error, detail, _pairs(headers), body, address, duration_ms)


def _failure(code: int, message: str, refusal: str, address: str, duration_ms: int) -> tuple[str, str]:
    if code == pycurl.E_OPERATION_TIMEDOUT and address:
        return "timeout", f"No complete answer came within {duration_ms} ms."
    if code in NEVER_CONNECTED and refusal:
        return "blocked_address", refusal
    word, sentence = FAILURES.get(code, NOT_HTTP)
    return word, f"{sentence} ({_clean(message)})" if word in ("tls", "protocol") and message else sentence


def _clean(message: str) -> str:
    """libcurl's own words, which may quote what the receiver sent."""
    return "".join(char if char.isprintable() else "?" for char in message[:LONGEST_MESSAGE])


def _pairs(headers: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
    split = [line.decode("latin-1").partition(":") for line in headers[1:]]
    return tuple([(name.strip(), value.strip()) for name, colon, value in split if colon])
