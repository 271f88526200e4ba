"""A service's variables: sealed at rest, secrets masked in every reply."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from homeport.kit.masking import MASK
from homeport.kit.problems import ValidationFailed
from homeport.kit.sealing import Sealer

MAX_VARIABLES = 200
MAX_VALUE = 32_768  # characters
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
# Names that usually hold a secret, when nobody said so.
SECRET_NAME = re.compile(
    r"PASSW|SECRET|TOKEN|PRIVATE|CREDENTIAL|API_?KEY|_KEY\Z|\AKEY\Z|DATABASE_URL|DSN\Z", re.IGNORECASE
)
# What the portal itself hands to an app.
RESERVED = frozenset({"PORT", "DATA_DIR"})


@dataclass(frozen=True)
class Variable:
    value: str
    secret: bool = False
    generated: bool = False


Variables = Mapping[str, Variable]


def seal(sealer: Sealer, service_id: str, variables: Variables) -> str:
    return sealer.seal(json.dumps({name: asdict(one) for name, one in variables.items()}), service_id)


def unseal(sealer: Sealer, service_id: str, sealed: str) -> dict[str, Variable]:
    stored: dict[str, dict[str, Any]] = json.loads(sealer.open(sealed, service_id))
    return {name: Variable(**one) for name, one in stored.items()}


def masked(variables: Variables) -> dict[str, str]:
    """As the API shows them to anybody who may see the service."""
    return {name: MASK if one.secret else one.value for name, one in variables.items()}


def secret_values(variables: Variables) -> tuple[str, ...]:
    return tuple(one.value for one in variables.values() if one.secret and one.value)


def environment(variables: Variables) -> dict[str, str]:
    return {name: one.value for name, one in variables.items() if name not in RESERVED}


def changed(current: Variables, wanted: Mapping[str, str | None]) -> dict[str, Variable]:
    """`current` with `wanted` applied: None removes, the mask means unchanged. Raises one ValidationFailed for all."""
    fields: dict[str, str] = {}
    result = dict(current)
    for name, value in wanted.items():
        where = f"variables.{name[:80]}"
        if not NAME.match(name):
            fields[where] = "a name has letters, digits and _, and does not begin with a digit"
        elif name in RESERVED:
            fields[where] = "the portal sets this itself"
        elif value is None:
            result.pop(name, None)
        elif value == MASK and name in current:
            continue
        elif len(value) > MAX_VALUE or "\0" in value:
            fields[where] = f"a value has at most {MAX_VALUE} characters, and no NUL"
        elif name in current:
            result[name] = replace(current[name], value=value, generated=False)
        else:
            result[name] = Variable(value, secret=bool(SECRET_NAME.search(name)))
    if len(result) > MAX_VARIABLES:
        fields["variables"] = f"at most {MAX_VARIABLES}"
    if fields:
        raise ValidationFailed(fields)
    return result
