"""Whatever bytes a file holds, its reader gives a result or a UserError of one line."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz_targets import TARGETS, feed
from tests.mutations import edited


@pytest.mark.parametrize("name", TARGETS)
def test_the_example_is_taken(name: str) -> None:
    assert feed(name, TARGETS[name][1])


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.binary(max_size=400), seed=st.integers(0, 2**32))
@example(data=b"", seed=0)
@example(data=b"1" * 5000, seed=0)
@example(data=b'{"a": NaN, "a": -Infinity}', seed=0)
@example(data=b"\xef\xbb\xbf\xef\xbb\xbf", seed=0)
def test_any_bytes(name: str, data: bytes, seed: int) -> None:
    feed(name, data)
    feed(name, edited(TARGETS[name][1], seed))


@pytest.mark.parametrize("name", TARGETS)
def test_json_too_deep_to_parse(name: str) -> None:
    feed(name, b"[" * 200_000)
