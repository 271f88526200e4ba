"""Lists of configurations for Encrypted Client Hello (RFC 9849 4): whether one is well formed."""

from __future__ import annotations


class InvalidConfigList(ValueError):
    """No ECHConfigList."""


def check_config_list(data: bytes) -> None:
    """`ECHConfig ECHConfigList<4..2^16-1>`, each a version, a length and that many bytes. Raises InvalidConfigList."""
    if len(data) < 6 or int.from_bytes(data[:2], "big") != len(data) - 2:
        raise InvalidConfigList("its length is not what it says")
    at = 2
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 4 > len(data) or end > len(data):
            raise InvalidConfigList("a configuration is cut off")
        at = end
