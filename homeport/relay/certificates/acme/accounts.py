"""The accounts with ACME directories: one key for each directory, made once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from homeport.kit.files import atomic_write
from homeport.relay.certificates.acme.jws import AccountKey
from homeport.relay.certificates.problems import AcmeFailed


@dataclass(frozen=True)
class Account:
    """`url` is the account's own at the directory, empty until it is registered; `key` is PEM."""

    directory_url: str
    key: str
    url: str = ""

    def __repr__(self) -> str:
        return f"Account({self.directory_url!r}, {self.url!r})"


class Accounts:
    """Keeps `<hash of the directory's address>.json` (0600) in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def find(self, directory_url: str) -> Account:
        """The account, or a new key that is not registered yet and not kept. Raises AcmeFailed."""
        return await asyncio.to_thread(self._read, directory_url)

    async def keep(self, account: Account) -> None:
        """On disk when this returns."""
        await asyncio.to_thread(self._write, account)

    def _path(self, directory_url: str) -> Path:
        return self._directory / f"{hashlib.sha256(directory_url.encode()).hexdigest()[:16]}.json"

    def _read(self, directory_url: str) -> Account:
        path = self._path(directory_url)
        try:
            account = Account(**json.loads(path.read_text()))
            AccountKey.from_pem(account.key)
        except FileNotFoundError:
            return Account(directory_url, AccountKey.new().pem())
        except (ValueError, TypeError) as problem:
            raise AcmeFailed(
                f"{path} does not hold an account ({problem}): remove it, and a new one is made."
            ) from None
        return account

    def _write(self, account: Account) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_write(self._path(account.directory_url), json.dumps(asdict(account), indent=2) + "\n", mode=0o600)
