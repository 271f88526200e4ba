"""The tables of identity: people and what they present, invites, the audit log, set-up, customers and their plans."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from homeport.storage import Base, Instant, Json


class Counter(Base):
    """The last integer id handed out, for what seed 002 numbers."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int] = mapped_column(Integer)


class User(Base):
    __tablename__ = "users"
    __table_args__ = (Index("ix_users_oidc", "oidc_issuer", "oidc_subject", unique=True),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, index=True, unique=True)  # seed 002's integer id, never given again
    username: Mapped[str] = mapped_column(String(64), unique=True)  # lower case
    email: Mapped[str | None] = mapped_column(String(254), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    scopes: Mapped[str | None] = mapped_column(Text)  # comma-separated; None: what the role brings
    customer_id: Mapped[str | None] = mapped_column(String(40))
    password_hash: Mapped[str] = mapped_column(String(200))  # Argon2id, PHC string; empty: no password opens it
    password_changed_at: Mapped[datetime | None] = mapped_column(Instant)
    banned_at: Mapped[datetime | None] = mapped_column(Instant)
    ban_reason: Mapped[str | None] = mapped_column(String(200))
    nickname: Mapped[str | None] = mapped_column(String(32))
    presence: Mapped[str] = mapped_column(String(10), default="online")  # online, away, busy, dnd, offline
    presence_message: Mapped[str] = mapped_column(String(100), default="")
    avatar: Mapped[Any] = mapped_column(Json, nullable=True)  # {color, emoji, initials}
    chat_anonymous: Mapped[bool] = mapped_column(default=False)
    totp_secret: Mapped[str | None] = mapped_column(Text)  # sealed; set up, and in use from totp_enabled_at on
    totp_enabled_at: Mapped[datetime | None] = mapped_column(Instant)
    totp_last_step: Mapped[int | None] = mapped_column(Integer)  # each code is good once
    oidc_issuer: Mapped[str | None] = mapped_column(String(300))
    oidc_subject: Mapped[str | None] = mapped_column(String(200))
    oidc_read_at: Mapped[datetime | None] = mapped_column(Instant)  # when the token was issued that told the roles
    last_login_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class Session(Base):
    """One sign-in. Its id is the token's `jti`; the token itself is not stored."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str | None] = mapped_column(String(100))
    method: Mapped[str] = mapped_column(String(20), default="password")  # password, passkey, oidc, certificate
    scopes: Mapped[str | None] = mapped_column(Text)  # None: all that its user holds
    refresh_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    oidc_sid: Mapped[str | None] = mapped_column(String(200), index=True)  # the provider's session, to be logged out
    oidc_id_token: Mapped[str | None] = mapped_column(Text)  # sealed; says there which session to end
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(200))


class OidcMark(Base):
    """What an OpenID provider's tokens may do once only, or no more. `id`: what it is, and a SHA-256 of which.

    token (was admitted), logout (a logout token was used), sid and sub (sign-ins before `at` have been ended there).
    """

    __tablename__ = "oidc_marks"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


class ApiKey(Base):
    """`lookup` is the public part that finds the row; of the secret part only the SHA-256 is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, index=True, unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    style: Mapped[str] = mapped_column(String(10))  # apps: aap_k1_…, portal: portal_…, machine: the shell's own
    scopes: Mapped[str] = mapped_column(Text)
    rate: Mapped[int | None] = mapped_column(Integer)  # requests a minute; None: the portal's
    lookup: Mapped[str] = mapped_column(String(16), unique=True)
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class BackupCode(Base):
    """One of the codes that stand in for a lost second factor; the row goes when it is used."""

    __tablename__ = "backup_codes"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)


class Passkey(Base):
    """A WebAuthn credential: as second factor, or instead of a password."""

    __tablename__ = "passkeys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    credential: Mapped[str] = mapped_column(String(400), unique=True)  # base64url
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[Any] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class Invite(Base):
    """A code that lets people register. `type`: daily (until midnight UTC), single_use, timed."""

    __tablename__ = "invites"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's; no id is given twice

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    type: Mapped[str] = mapped_column(String(12))
    label: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    scopes: Mapped[str | None] = mapped_column(Text)
    customer_id: Mapped[str | None] = mapped_column(String(40))
    created_by: Mapped[str | None] = mapped_column(String(40))  # a user's id; None: the portal
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    max_uses: Mapped[int | None] = mapped_column(Integer)
    uses: Mapped[int] = mapped_column(Integer)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class Registration(Base):
    """Who came by which invite, and from where: one a day for each network."""

    __tablename__ = "registrations"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's; no id is given twice

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    invite_id: Mapped[int | None] = mapped_column(ForeignKey("invites.id", ondelete="SET NULL"), index=True)
    user_id: Mapped[str] = mapped_column(String(40))
    username: Mapped[str] = mapped_column(String(64))
    network: Mapped[str] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


class SshKey(Base):
    """A public key; the private one was shown once and is nowhere."""

    __tablename__ = "ssh_keys"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's; no id is given twice

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    key_type: Mapped[str] = mapped_column(String(10))
    public_key: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class ClientCertificate(Base):
    """`kind`: person (stands for `user_id`, within `scopes`), agent, plugin-agent (may do `scopes`)."""

    __tablename__ = "client_certificates"
    __table_args__ = (
        Index(
            "uq_client_certificates_good_label",
            "label",
            unique=True,
            # PostgreSQL's index has it too (migration 0003): said here, SQLite's portals would load that dialect, 2 MB.
            sqlite_where=text("kind <> 'person' AND revoked_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    serial: Mapped[str] = mapped_column(String(64), unique=True)  # hexadecimal, lower case, no leading zeros
    label: Mapped[str] = mapped_column(String(100), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    scopes: Mapped[str] = mapped_column(Text)
    allowed_sites: Mapped[Any] = mapped_column(Json)
    enrollment_method: Mapped[str] = mapped_column(String(20))  # p12, pem, csr
    fingerprint_sha256: Mapped[str] = mapped_column(String(64))
    delegated_by: Mapped[str | None] = mapped_column(String(100))  # the agent whose revocation ends this one too
    created_by: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class EnrolmentToken(Base):
    """Lets one machine have a certificate for a key of its own, once."""

    __tablename__ = "enrolment_tokens"

    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    label: Mapped[str] = mapped_column(String(100), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[str] = mapped_column(Text)
    delegated_by: Mapped[str | None] = mapped_column(String(100))
    created_by: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class AuditRecord(Base):
    """One act. `mac` covers the other columns and the record before it; times are text, exactly as it covers them."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    created_at: Mapped[str] = mapped_column(String(24), index=True)  # 2026-11-21T08:00:00.000Z
    actor_id: Mapped[str] = mapped_column(String(40), index=True)
    actor_number: Mapped[int] = mapped_column(Integer)
    actor_name: Mapped[str] = mapped_column(String(100))
    credential: Mapped[str] = mapped_column(String(80))  # session ses_…, key key_…, certificate crt_…, none
    address: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(80), index=True)
    target_type: Mapped[str] = mapped_column(String(40))
    target_id: Mapped[str] = mapped_column(String(200))
    result: Mapped[str] = mapped_column(String(10))  # done, refused, failed
    status: Mapped[int] = mapped_column(Integer)  # the answer's; 0: no request was there
    details: Mapped[str] = mapped_column(Text)  # a JSON object; never a secret
    customer_id: Mapped[str] = mapped_column(String(40))  # empty: the portal's own
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditEnd(Base):
    """Where the log begins and ends, so that what is cut off either end is missed. Two rows: first and last."""

    __tablename__ = "audit_ends"

    name: Mapped[str] = mapped_column(String(8), primary_key=True)
    record_id: Mapped[int] = mapped_column(Integer)
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))  # of the record
    seal: Mapped[bytes] = mapped_column(LargeBinary(32))  # over the columns above


class Onboarding(Base):
    """One row: how far set-up has come."""

    __tablename__ = "onboarding"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(String(20))
    changed_at: Mapped[datetime] = mapped_column(Instant)


class Plan(Base):
    """What a customer may use; None is no limit, and bandwidth 0 as well. Sizes are MB, `max_cpu` is cores."""

    __tablename__ = "plans"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(Text)
    sort_order: Mapped[int] = mapped_column(Integer)
    max_services: Mapped[int | None] = mapped_column(Integer)
    max_cpu: Mapped[float | None] = mapped_column(Float)
    max_memory_mb: Mapped[int | None] = mapped_column(Integer)
    max_storage_mb: Mapped[int | None] = mapped_column(Integer)
    bandwidth_mb: Mapped[int] = mapped_column(Integer)  # a month
    allow_template: Mapped[bool]
    allow_git: Mapped[bool]  # an uploaded folder too
    allow_ai: Mapped[bool]
    allow_compose: Mapped[bool]
    allow_custom_domains: Mapped[bool]
    allow_backup: Mapped[bool]
    allow_notifications: Mapped[bool]
    allow_api_access: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class Customer(Base):
    """A tenant: its users see its services and nothing else. `status` is active or suspended."""

    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    email: Mapped[str] = mapped_column(String(254))
    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.id"), index=True)
    notes: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
