"""Lists of ECH configurations."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.wire.ech import InvalidConfigList, check_config_list


def listed(*configs: bytes) -> bytes:
    inner = b"".join(b"\xfe\x0d" + len(config).to_bytes(2, "big") + config for config in configs)
    return len(inner).to_bytes(2, "big") + inner


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_a_list_of_configurations_is_well_formed(configs: list[bytes]) -> None:
    check_config_list(listed(*configs))


@pytest.mark.parametrize("data", [b"", b"\0\0", listed(b"abc")[:-1], listed(b"abc") + b"x", b"\0\x03\xfe\x0d\0"])
def test_a_list_that_is_cut_off_or_goes_on_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidConfigList):
        check_config_list(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidConfigList):
        check_config_list(data)
