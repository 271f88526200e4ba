"""What an authenticator said, checked by the library `webauthn`: everything blocks, and loads it when first used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from homeport.identity.problems import InvalidPasskey

TIMEOUT_MS = 300_000
# What the library and what lies below it raise for bytes that are not what they should be.
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Party:
    """The portal as authenticators know it: its domain, and where its pages come from."""

    domain: str
    origin: str


@dataclass(frozen=True)
class Registered:
    """`credential` is base64url; `public_key` is COSE."""

    credential: str
    public_key: bytes
    sign_count: int


def registration_options(
    party: Party, user_id: str, username: str, name: str, challenge: bytes, have: Sequence[str]
) -> dict[str, Any]:
    """For `navigator.credentials.create()`; `have` are the person's credentials, which are not to be made again.

    Discoverable, so that no sign-in has to be told which credentials somebody has.
    """
    from webauthn import base64url_to_bytes, generate_registration_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    return options_to_json_dict(
        generate_registration_options(
            rp_id=party.domain,
            rp_name="Homeport",
            user_id=user_id.encode(),
            user_name=username,
            user_display_name=name or username,
            challenge=challenge,
            timeout=TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in have],
        )
    )


def sign_in_options(party: Party, challenge: bytes, *, verified: bool) -> dict[str, Any]:
    """For `navigator.credentials.get()`; `verified` asks for a PIN, finger or face."""
    from webauthn import generate_authentication_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import UserVerificationRequirement

    wanted = UserVerificationRequirement.REQUIRED if verified else UserVerificationRequirement.PREFERRED
    return options_to_json_dict(
        generate_authentication_options(
            rp_id=party.domain, challenge=challenge, timeout=TIMEOUT_MS, user_verification=wanted
        )
    )


def check_registration(party: Party, credential: dict[str, Any], challenge: bytes) -> Registered:
    """Raises InvalidPasskey."""
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.domain,
            expected_origin=party.origin,
        )
    except (WebAuthnException, *_BROKEN) as problem:
        raise InvalidPasskey("This passkey cannot be used: what its device says does not check out.") from problem
    return Registered(bytes_to_base64url(made.credential_id), made.credential_public_key, made.sign_count)


def check_sign_in(
    party: Party, credential: dict[str, Any], challenge: bytes, public_key: bytes, sign_count: int, *, verified: bool
) -> int:
    """The authenticator's counter now. `verified`: it must have seen a PIN, finger or face. Raises InvalidPasskey."""
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        answer = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.domain,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=verified,
        )
    except (WebAuthnException, *_BROKEN) as problem:
        raise InvalidPasskey("This passkey does not sign in here.") from problem
    return answer.new_sign_count
