"""What no database takes: NUL, half characters, numbers without end. Nobody gets a fault out of the portal by them."""

from __future__ import annotations

import json
from urllib.parse import quote

from homeport.testing.door import Door

NUL = "a\0b"
WORDS = (quote(NUL), "9" * 25, "%ed%a0%80", "-1")
BODIES = [
    ("POST", "/api/auth/login", {"username": NUL, "password": "x"}),
    ("POST", "/api/auth/login", {"username": "\ud800", "password": "x"}),
    ("POST", "/api/auth/login", {"username": "a", "password": "\ud800"}),
    ("POST", "/api/auth/login", {"username": "admin", "password": "x", "totp_code": "\ud800"}),
    ("POST", "/api/token", {"username": NUL, "password": "x"}),
    ("POST", "/api/token", {"username": "\ud800", "password": "x"}),
    ("POST", "/api/auth/refresh", {"refresh_token": "\ud800"}),
    ("POST", "/api/auth/refresh", {"refresh_token": NUL}),
    ("POST", "/api/auth/logout", {"refresh_token": "\ud800"}),
    ("POST", "/api/register", {"username": "abc", "password": "12345678", "invite_code": NUL}),
    ("POST", "/api/register", {"username": "abc", "password": "12345678", "invite_code": "\ud800"}),
    ("POST", "/api/enroll", {"token": "\ud800", "csr": "x"}),
    ("POST", "/api/enroll", {"token": NUL, "csr": "\ud800"}),
    ("POST", "/api/token/revoke", {"token_id": NUL}),
    ("POST", "/api/token/revoke", {"token_id": "\ud800"}),
    ("PATCH", "/api/me", {"name": NUL}),
    ("PATCH", "/api/me", {"name": "\ud800"}),
    ("PATCH", "/api/me", {"email": "\ud800@x.y"}),
    ("PUT", "/api/me/status", {"status": "away", "status_message": NUL}),
    ("PUT", "/api/me/status", {"status": "away", "status_message": "\ud800"}),
    ("PUT", "/api/me/avatar", {"emoji": "\ud800"}),
    ("POST", "/api/me/password", {"current_password": "\ud800", "new_password": "12345678"}),
    ("POST", "/api/users", {"username": "bobby", "name": NUL}),
    ("POST", "/api/users", {"username": "bobby", "name": "\ud800"}),
    ("POST", "/api/users", {"username": "bobby", "password": "\ud80012345678"}),
    ("POST", "/api/users", {"username": "bobby", "customer_id": NUL}),
    ("POST", "/api/users/2/ban", {"reason": NUL}),
    ("POST", "/api/users/2/ban", {"reason": "\ud800"}),
    ("POST", "/api/admin/invite-codes", {"type": "timed", "label": NUL}),
    ("POST", "/api/admin/invite-codes", {"type": "timed", "label": "\ud800"}),
    ("POST", "/api/admin/invite-codes", {"type": "timed", "customer_id": "\ud800"}),
    ("POST", "/api/api-keys", {"name": NUL}),
    ("POST", "/api/api-keys", {"name": "\ud800"}),
    ("POST", "/api/auth/api-keys", {"name": NUL}),
    ("POST", "/api/auth/api-keys", {"name": "\ud800"}),
    ("POST", "/api/ssh-keys", {"name": NUL}),
    ("POST", "/api/ssh-keys", {"name": "\ud800"}),
    ("POST", "/api/user/2fa/verify", {"code": "\ud800"}),
    ("POST", "/api/certs/agent", {"label": "ok", "capabilities": ["tunnels:read"], "allowedSites": [NUL]}),
    ("POST", "/api/certs/agent", {"label": "ok2", "capabilities": ["tunnels:read"], "allowedSites": ["\ud800"]}),
    ("POST", "/api/certs/agent/enroll", {"label": "x", "capabilities": ["\ud800"]}),
    ("POST", "/api/customers", {"name": NUL, "email": "a@b.c", "plan_id": "Free"}),
]  # fmt: skip
PATHS = [
    ("DELETE", "/api/me/sessions/{}"),
    ("DELETE", "/api/me/certificates/{}"),
    ("POST", "/api/me/certificates/{}/rotate"),
    ("DELETE", "/api/users/{}"),
    ("POST", "/api/users/{}/ban"),
    ("GET", "/api/users/{}/sessions"),
    ("GET", "/api/users?search={}"),
    ("GET", "/api/users?page={}"),
    ("GET", "/api/users/lookup?q={}"),
    ("DELETE", "/api/admin/invite-codes/{}"),
    ("GET", "/api/admin/invite-codes/{}/registrations"),
    ("DELETE", "/api/api-keys/{}"),
    ("POST", "/api/api-keys/{}/revoke"),
    ("DELETE", "/api/auth/api-keys/{}"),
    ("DELETE", "/api/ssh-keys/{}"),
    ("GET", "/api/ssh-keys/{}"),
    ("DELETE", "/api/user/passkeys/{}"),
    ("DELETE", "/api/certs/agent/{}"),
    ("GET", "/api/certs/agent/{}/download"),
    ("DELETE", "/api/certs/agent/enroll/{}"),
    ("GET", "/api/admin/audit-log?action={}"),
    ("GET", "/api/admin/audit-log?actor_id={}"),
    ("GET", "/api/admin/audit-log?since={}"),
    ("GET", "/api/admin/audit-log?offset={}"),
    ("GET", "/api/admin/audit-log?channel_id={}"),
    ("GET", "/api/activity?limit={}"),
    ("GET", "/api/customers/{}"),
    ("GET", "/api/me?token={}"),
    ("GET", "/api/auth/oidc/login?next={}"),
]


async def test_words_that_no_database_takes_are_the_clients_fault(door: Door) -> None:
    faults = []
    sent = [(method, path, json.dumps(body)) for method, path, body in BODIES]
    sent += [(method, path.format(word), "") for method, path in PATHS for word in WORDS]
    async with door.client(await door.admin_token()) as client:
        for method, path, body in sent:
            answer = await client.request(method, path, content=body, headers={"content-type": "application/json"})
            if answer.status_code >= 500 and answer.json()["code"] == "internal":
                faults.append((method, path, body))
        assert (await client.get("/api/me")).status_code == 200  # nothing was kept that cannot be told
    assert not faults
