"""Which headers an endpoint may add."""

import pytest

from deliveries.rules import headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer abc.def"),
        ("x-api-key", ""),
        ("X-Empty", "   "),
        ("x-tab", "a\tb"),
        ("x-unicode", "Zürich ✓"),
        ("x!#$%&'*+.^_`|~9", "odd, and a token all the same"),
        ("accept", "application/json"),
        ("cookie", "session=1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-long", "v" * 4096),
    ],
)
def test_these_may_be_sent(name: str, value: str) -> None:
    assert headers.fault_of({name: value}) is None


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "connection",
        "UPGRADE",
        "te",
        "Trailer",
        "expect",
        "Keep-Alive",
        "proxy-authorization",
        "Proxy-Connection",
        "content-type",
        "User-Agent",
        "traceparent",
        "tracestate",
        "x-hl-signature",
        "X-HL-anything",
        "x-hookline-attempt",
        "webhook-id",
        "Webhook-Signature",
    ],
)
def test_what_we_or_the_connection_set_may_not_be_set(name: str) -> None:
    expected = f"must not set {name!r}, which HookLine or the connection sets"
    assert headers.fault_of({"x-fine": "1", name: "x"}) == expected


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:b", "a\r\nb", "a\0", "ä", "x-name ", "\tx", "(x)", "a/b", "a@b", "a\n"]
)
def test_a_name_is_a_token(name: str) -> None:
    assert headers.fault_of({name: "x"}) == "must have names of letters, digits and hyphens"


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nx-other: b",
        "a\nb",
        "a\r",
        "\0",
        "\x1b[31m",
        "\x7f",
        "\ud83d",
        "v" * 4097,
        None,
        5,
        True,
        ["a"],
        {"a": 1},
    ],
)
def test_a_value_is_a_text_without_control_characters(value: object) -> None:
    fault = headers.fault_of({"x-name": value})  # type: ignore[dict-item]
    assert fault == "must give 'x-name' a text without control characters, at most 4096 long"


def test_there_may_be_fifty_of_them() -> None:
    assert headers.fault_of({f"x-{n}": "" for n in range(50)}) is None
    assert headers.fault_of({f"x-{n}": "" for n in range(51)}) == "must not be more than 50"
