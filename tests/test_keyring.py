"""Secrets at rest open with the right key and for the right row, and in no other way."""

import base64
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hookline.keyring import CannotOpen, key_of, parse_keys, seal, unseal

pytestmark = pytest.mark.embedded

OLD, NEW = b"o" * 32, b"n" * 32
BOTH = {2: NEW, 1: OLD}
ROW = "endpoints/1/secret"
BASE64, HEX = base64.b64encode(OLD).decode(), NEW.hex()


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (BASE64, {1: OLD}),
        (HEX, {1: NEW}),
        (HEX.upper(), {1: NEW}),
        (f"2:{HEX},1:{BASE64}", {2: NEW, 1: OLD}),
        (f" 2:{HEX} \n 1:{BASE64} ", {2: NEW, 1: OLD}),
        (f"65535:{HEX}", {65535: NEW}),
        ("", {}),
    ],
)
def test_keys_are_read_in_the_order_given(text: str, keys: dict[int, bytes]) -> None:
    assert list(parse_keys(text).items()) == list(keys.items())


@pytest.mark.parametrize(
    "text",
    [
        "change-me",
        BASE64[:-4],
        HEX + "00",
        HEX.replace("6", "g"),
        BASE64 + "!",
        f"0:{HEX}",
        f"65536:{HEX}",
        f"-1:{HEX}",
        f"two:{HEX}",
        f"1:{HEX},1:{BASE64}",
        f"{HEX},{HEX}",
        "2:",
    ],
)
def test_anything_else_is_no_key_and_is_not_repeated_in_the_message(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as fault:
        parse_keys(text)
    assert HEX not in str(fault.value)
    assert BASE64 not in str(fault.value)


@given(some.text(some.characters(codec="utf-8")))
def test_a_sealed_text_opens_again(text: str) -> None:
    assert unseal(seal(text, ROW, {1: OLD}), ROW, {1: OLD}) == text


def test_the_same_text_is_never_sealed_alike() -> None:
    assert len({seal("secret", ROW, {1: OLD}) for _ in range(100)}) == 100


def test_the_first_key_seals_and_every_key_opens() -> None:
    before, after = {1: OLD}, {2: NEW, 1: OLD}
    old_box, new_box = seal("secret", ROW, before), seal("secret", ROW, after)

    assert (key_of(old_box), key_of(new_box)) == (1, 2)
    assert unseal(old_box, ROW, after) == unseal(new_box, ROW, after) == "secret"


def test_a_key_that_is_gone_opens_nothing() -> None:
    box = seal("secret", ROW, {1: OLD})

    with pytest.raises(CannotOpen, match=ROW):
        unseal(box, ROW, {2: NEW})


def test_another_key_of_the_same_number_opens_nothing() -> None:
    with pytest.raises(CannotOpen):
        unseal(seal("secret", ROW, {1: OLD}), ROW, {1: NEW})


@given(some.text(max_size=60))
def test_a_value_with_any_bit_changed_does_not_open(text: str) -> None:
    box = seal(text, ROW, BOTH)

    for bit in range(len(box) * 8):
        changed = bytearray(box)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CannotOpen):
            unseal(bytes(changed), ROW, BOTH)


@given(
    some.lists(some.tuples(some.uuids(), some.sampled_from(["secret", "headers"])), unique=True, max_size=12)
)
def test_a_value_opens_in_no_other_row_and_no_other_column(places: list[tuple[UUID, str]]) -> None:
    contexts = [f"endpoints/{id}/{column}" for id, column in places]
    boxes = {context: seal(context, context, BOTH) for context in contexts}

    for written, read in product(contexts, contexts):
        if written == read:
            assert unseal(boxes[written], read, BOTH) == read
        else:
            with pytest.raises(CannotOpen):
                unseal(boxes[written], read, BOTH)


def test_a_value_cut_short_does_not_open() -> None:
    box = seal("secret", ROW, {1: OLD})

    for length in range(len(box)):
        with pytest.raises(CannotOpen):
            unseal(box[:length], ROW, {1: OLD})
