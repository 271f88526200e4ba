"""How TXT records are set for a domain, secrets included: sealed, in the database, where rotating keys finds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from homeport.kit.clock import Clock
from homeport.kit.sealing import Sealer
from homeport.storage import Options


class ProviderSecrets:
    """One option for each domain, sealed under its name (storage/sealed.py), which is a hash: names are short."""

    def __init__(self, options: Options, sealer: Sealer, clock: Clock) -> None:
        self._options = options
        self._sealer = sealer
        self._clock = clock

    def find(self, domain: str) -> Mapping[str, Any] | None:
        """What was kept for the domain. Raises SealBroken."""
        name = _option(domain)
        token = self._options.get(name)
        return json.loads(self._sealer.open(token, name)) if token else None

    async def keep(self, domain: str, config: Mapping[str, Any] | None) -> None:
        """On disk when this returns; None forgets."""
        name = _option(domain)
        if config is None and self._options.get(name) is None:
            return
        token = None if config is None else self._sealer.seal(json.dumps(dict(config)), name)
        await self._options.set({name: token}, now=self._clock.now(), by="")


def _option(domain: str) -> str:
    return f"tls_dns_{hashlib.sha256(domain.encode()).hexdigest()[:32]}"
