"""Signatures, checked with the libraries that receivers use."""

import base64
import hashlib
import hmac
import time

import pytest
import standardwebhooks
import svix
from hypothesis import given
from hypothesis import strategies as some

from deliveries.sending import signatures
from deliveries.sending.signatures import key_of

EVENT_ID = "0190b5a4-7c1e-7000-8000-0123456789ab"
BODY = '{"topic":"ä.b","payload":{"n":1.50}}'.encode()
SECRET = "whsec_" + base64.b64encode(b"of acme, and of nobody else").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"of acme, until last week...").decode()
OTHERS_SECRET = "whsec_" + base64.b64encode(b"of globex, not of acme.....").decode()

VERIFIERS = [standardwebhooks.Webhook, svix.Webhook]
FAULTS = (standardwebhooks.WebhookVerificationError, svix.WebhookVerificationError)


def headers(*secrets: str, body: bytes = BODY) -> dict[str, str]:
    now = int(time.time())
    return {
        "webhook-id": EVENT_ID,
        "webhook-timestamp": str(now),
        "webhook-signature": signatures.standard(map(key_of, secrets), EVENT_ID, now, body),
    }


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_receivers_verify_with_the_published_packages(verifier: type) -> None:
    verifier(SECRET).verify(BODY, headers(SECRET))


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_new_secret_of_ours_is_one_that_the_packages_take(verifier: type) -> None:
    secret = signatures.new_secret()

    verifier(secret).verify(BODY, headers(secret))
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret != signatures.new_secret()


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_during_a_rotation_both_secrets_verify_and_no_other(verifier: type) -> None:
    both = headers(SECRET, OLD_SECRET)

    verifier(SECRET).verify(BODY, both)
    verifier(OLD_SECRET).verify(BODY, both)
    assert both["webhook-signature"].count(" ") == 1
    with pytest.raises(FAULTS):
        verifier(OTHERS_SECRET).verify(BODY, both)


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("changed", ["body", "id", "timestamp"])
def test_a_changed_delivery_does_not_verify(verifier: type, changed: str) -> None:
    signed = headers(SECRET)
    body = BODY.replace(b"1.50", b"1.5") if changed == "body" else BODY
    if changed == "id":
        signed["webhook-id"] = EVENT_ID.replace("b", "c")
    if changed == "timestamp":
        signed["webhook-timestamp"] = str(int(signed["webhook-timestamp"]) - 1)

    with pytest.raises(FAULTS):
        verifier(SECRET).verify(body, signed)


@pytest.mark.parametrize(
    "secret", ["plain text", "pässwörd", "whsec_not base64!", "whsec_abc", "WHSEC_YQ==", "x" * 200]
)
def test_a_secret_that_is_not_whsec_base64_is_used_as_it_is_spelled(secret: str) -> None:
    message = f"{EVENT_ID}.1700000000.".encode() + BODY
    expected = base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()

    assert signatures.standard([key_of(secret)], EVENT_ID, 1700000000, BODY) == f"v1,{expected}"


@pytest.mark.parametrize("secret", ["s3cret", "pässwörd", SECRET])
def test_the_hookline_signature_is_hex_over_milliseconds_and_body(secret: str) -> None:
    expected = hmac.new(secret.encode(), b"1700000000123." + BODY, hashlib.sha256).hexdigest()

    signature = signatures.hookline(key_of(secret), 1700000000123, BODY)

    assert signature == f"v1={expected}"
    assert len(signature) == 67


def test_known_signatures_stay_what_they_were() -> None:
    """Made with `openssl dgst -sha256 -hmac k` of `1.{}` and of `msg_1.1.{}`."""
    assert signatures.hookline(key_of("k"), 1, b"{}") == (
        "v1=3dd49b2593d0f9a349e9e71c4bde3e2b862c2be4003fe9b4ba81332029310158"
    )
    signature = signatures.standard([key_of("k")], "msg_1", 1, b"{}")
    assert signature == "v1,WQBPtAsumRlBVd/XmmbysH53ixZ4wi6G/qvgzgt90z4="


@given(some.binary(max_size=200), some.text(some.characters(codec="utf-8"), min_size=1, max_size=40))
def test_any_body_and_any_secret_can_be_signed(body: bytes, secret: str) -> None:
    assert signatures.hookline(key_of(secret), 0, body) != signatures.hookline(key_of(secret), 0, body + b" ")
    assert signatures.standard([key_of(secret)], EVENT_ID, 0, body) != signatures.standard(
        [key_of(secret)], EVENT_ID, 1, body
    )
