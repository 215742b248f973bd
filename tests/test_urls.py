"""Which URLs an endpoint may have."""

import pytest

from deliveries.rules import urls

pytestmark = pytest.mark.embedded


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://example.com/hooks?key=a%20b&x=1#part",
        "HTTPS://EXAMPLE.COM/",
        "http://localhost:8080/",
        "http://127.0.0.1:1/",
        "http://127.1/",
        "http://2130706433/",
        "http://[::1]:8080/",
        "http://[2001:db8::1]/",
        "http://my_host.internal./x",
        "https://bücher.example/straße?ü=ö",
        "https://xn--bcher-kva.example/",
        "https://例え.テスト/",
        "http://１２７.0.0.1/",
        "http://example.com:65535/",
        "http://" + "a" * 63 + ".example/",
        "https://example.com/" + "a" * 4000,
    ],
)
def test_these_can_be_delivered_to_as_far_as_can_be_told_now(url: str) -> None:
    assert urls.fault_of(url) is None


@pytest.mark.parametrize(
    "url", ["", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd"]
)
@pytest.mark.parametrize("prefix", ["", " "])
def test_a_url_begins_with_http(url: str, prefix: str) -> None:
    assert urls.fault_of(prefix + url) == "must start with http(s)://"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "gopher://x/", "http:/example.com", "http:example.com", "httpx://a/"]
)
def test_no_other_scheme_will_do(url: str) -> None:
    assert urls.fault_of(url) == "must start with http(s)://"


@pytest.mark.parametrize(
    "where", ["http://exam{}ple.com/", "http://example.com/a{}b", "http://example.com/?a{}b", "http://a/{}"]
)
@pytest.mark.parametrize(
    "char", [" ", "\t", "\n", "\r\nHost: x\r\n", "\0", "\x7f", "\\", "\u00a0", "\u2028", "\u3000", "\x85"]
)
def test_spaces_control_characters_and_backslashes_are_refused(where: str, char: str) -> None:
    expected = "must not hold spaces, control characters or backslashes; percent-encode them"
    assert urls.fault_of(where.format(char)) == expected


@pytest.mark.parametrize("userinfo", ["user:secret@", "user@", "@", ":@", "a%40b@", "127.0.0.1:80@", "a@b@"])
def test_credentials_belong_into_headers(userinfo: str) -> None:
    expected = "must not hold user:password@; send credentials with headers"
    assert urls.fault_of(f"https://{userinfo}example.com/") == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///path",
        "http://:80/",
        "http://?x",
        "http://#x",
        "http://a..b/",
        "http://.a/",
        "http://-a.b/",
        "http://a-.b/",
        "http://%31%32%37.0.0.1/",
        "http://a,b/",
        "http://a;b/",
        "http://a'b/",
        "http://<x>/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "http://example.com:0/",
        "http://a\u200eb/",
        "http://*/",
    ],
)
def test_a_url_names_a_host(url: str) -> None:
    assert urls.fault_of(url) == "must name a host, as in https://example.com/hooks"


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1/",
        "http://::1]/",
        "http://[::1%25eth0x]:x/",
        "http://a:99999/",
        "http://a:b/",
        "http://a:-1/",
        "http://[example.com]/",
        "http://[127.0.0.1]/",
        "http://a:1:2/",
    ],
)
def test_a_url_can_be_taken_apart(url: str) -> None:
    assert urls.fault_of(url) == "must be a URL such as https://example.com/hooks"


def test_a_url_has_an_end() -> None:
    assert urls.fault_of("http://a/" + "x" * 4087) is None
    assert urls.fault_of("http://a/" + "x" * 4088) == "must not be longer than 4096 characters"
