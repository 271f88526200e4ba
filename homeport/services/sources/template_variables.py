"""The inputs of a template: their types, their generators, and how they get their values."""

from __future__ import annotations

import base64
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeport.kit.masking import MASK
from homeport.kit.problems import ValidationFailed
from homeport.services.sources.fields import Fields

TYPES = ("string", "password", "secret", "int", "bool", "enum", "domain")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_GENERATOR = re.compile(r"(password|hex|base64|urlsafe|uuid)(?::([1-9]\d{0,2}))?")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"  # none that look alike
_MAX_VALUE = 32_768


@dataclass(frozen=True)
class TemplateVariable:
    """One input. `generate` is how an empty one gets its value: `password:24`, `hex:32` (bytes), `base64:32`,
    `urlsafe:32`, `uuid`; only passwords and secrets have it."""

    name: str
    label: str
    type: str
    required: bool
    description: str
    default: str | None
    options: tuple[str, ...] = ()
    generate: str | None = None
    least: int | None = None
    most: int | None = None

    @property
    def secret(self) -> bool:
        return self.type in {"password", "secret"}

    def shown(self) -> dict[str, Any]:
        """As the catalogue shows it."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "required": self.required,
            "description": self.description,
            "default": self.default,
            "options": list(self.options),
            "secret": self.secret,
            "generated": self.generate is not None,
            "min": self.least,
            "max": self.most,
        }


@dataclass(frozen=True)
class Resolved:
    """The values of all variables as environment; `generated`: names made now, `secret`: names never to be shown."""

    values: dict[str, str]
    generated: frozenset[str]
    secret: frozenset[str]


def resolve(
    variables: tuple[TemplateVariable, ...],
    given: Mapping[str, Any],
    kept: Mapping[str, str],
    *,
    service_name: str,
) -> Resolved:
    """What was given, else kept from before, else the default, else generated.

    A generated secret is made once and then kept: a new one would lock the app out of its own data. A name that the
    template does not know becomes one more variable of the app. SERVICE_NAME is the service's name unless given.
    Raises ValidationFailed with every field at fault.
    """
    fields: dict[str, str] = {}
    values = {name: value for name, value in kept.items() if name not in given}
    generated: set[str] = set()
    for name, raw in given.items():
        text = _text(raw)
        if text is None or "\0" in text or len(text) > _MAX_VALUE:
            fields[f"variables.{name[:80]}"] = f"must be text, a number, true or false, at most {_MAX_VALUE} characters"
        elif not NAME.fullmatch(name):
            fields[f"variables.{name[:80]}"] = "a name has letters, digits and _, and does not begin with a digit"
        elif text == MASK and name in kept:
            values[name] = kept[name]
        else:
            values[name] = text
    for variable in variables:
        if not values.get(variable.name):
            first = service_name if variable.name == "SERVICE_NAME" else variable.default
            if first is None and variable.generate is not None:
                first = generate(variable.generate)
                generated.add(variable.name)
            values[variable.name] = first or ""
        if f"variables.{variable.name}" in fields:
            continue
        value = values[variable.name]
        if value:
            fault, values[variable.name] = _check(variable, value)
        else:
            fault = "is required" if variable.required else None
        if fault:
            fields[f"variables.{variable.name}"] = fault
    if fields:
        raise ValidationFailed(fields)
    secret = frozenset(variable.name for variable in variables if variable.secret)
    return Resolved(values, frozenset(generated), secret)


def _text(raw: Any) -> str | None:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw) if isinstance(raw, str | int | float) else None


def _check(variable: TemplateVariable, value: str) -> tuple[str | None, str]:
    """The fault, if any, and the value in its canonical spelling."""
    match variable.type:
        case "int":
            if not re.fullmatch(r"[+-]?\d{1,15}", value.strip()):
                return "must be a whole number", value
            number = int(value)
            if (variable.least is not None and number < variable.least) or (
                variable.most is not None and number > variable.most
            ):
                return f"must be {_range(variable)}", value
            return None, str(number)
        case "bool":
            word = value.strip().lower()
            if word not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
                return "must be true or false", value
            return None, "true" if word in {"true", "1", "yes", "on"} else "false"
        case "enum" if value not in variable.options:
            return f"must be one of: {', '.join(variable.options)}", value
        case "domain" if not _DOMAIN.fullmatch(value.strip().lower()):
            return "must be a domain name such as app.example.org", value
        case "domain":
            return None, value.strip().lower()
        case "string" | "password" | "secret":
            if variable.least is not None and len(value) < variable.least:
                return f"must have at least {variable.least} characters", value
            if variable.most is not None and len(value) > variable.most:
                return f"must have at most {variable.most} characters", value
    return None, value


def _range(variable: TemplateVariable) -> str:
    if variable.most is None:
        return f"at least {variable.least}"
    return f"at most {variable.most}" if variable.least is None else f"from {variable.least} to {variable.most}"


def generate(generator: str) -> str:
    """A fresh secret; ValueError for a generator that does not exist."""
    match = _GENERATOR.fullmatch(generator)
    if match is None:
        raise ValueError(generator)
    size = int(match[2]) if match[2] else 32
    match match[1]:
        case "hex":
            return secrets.token_hex(size)
        case "base64":
            return base64.b64encode(secrets.token_bytes(size)).decode()
        case "urlsafe":
            return secrets.token_urlsafe(size)
        case "uuid":
            return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        case _:
            return "".join(secrets.choice(_LETTERS) for _ in range(size))


def read_variables(fields: Fields, path: str) -> tuple[TemplateVariable, ...]:
    """The list in a template file; its faults go to `fields`."""
    found: list[TemplateVariable] = []
    for item in fields.items(path):
        name = item.text("name", pattern=NAME, rule="must be letters, digits and _, not beginning with a digit")
        kind = item.one_of("type", TYPES, default="string")
        secret = kind in {"password", "secret"}
        generator = item.text("generate", default="password:24" if secret else "")
        if generator and not _GENERATOR.fullmatch(generator):
            item.refuse("generate", "must be password, hex, base64 or urlsafe with a size such as hex:32, or uuid")
        if generator and not secret:
            item.refuse("generate", "is for the types password and secret")
        variable = TemplateVariable(
            name=name,
            label=item.text("label", default=name),
            type=kind,
            required=item.flag("required"),
            description=item.text("description", default="", most=400),
            default=_text(item.raw("default")),
            options=item.texts("options"),
            generate=generator or None,
            least=item.integer("min", default=None, least=-(10**15), most=10**15),
            most=item.integer("max", default=None, least=-(10**15), most=10**15),
        )
        if any(other.name == name for other in found):
            item.refuse("name", f"{name} is there twice")
        if (kind == "enum") != bool(variable.options):
            item.refuse("options", "belong to the type enum, and it needs some")
        elif variable.default and (fault := _check(variable, variable.default)[0]):
            item.refuse("default", fault)
        if secret and variable.default:
            item.refuse("default", "is not for secrets: everybody would have the same one")
        item.finish()
        found.append(variable)
    return tuple(found)
