"""Accounts with roles and scopes, second factors, client certificates, invites, the audit log, options."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "options",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=True),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_options")),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    _users()
    _sessions()
    _api_keys()
    _second_factors()
    _invites()
    _ssh_keys()
    _certificates()
    _audit()


def _users() -> None:
    # Columns are added one by one: copying the table would delete, by cascade, what points to it.
    for column in (
        sa.Column("number", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("password_changed_at", INSTANT, nullable=True),
        sa.Column("banned_at", INSTANT, nullable=True),
        sa.Column("ban_reason", sa.String(length=200), nullable=True),
        sa.Column("nickname", sa.String(length=32), nullable=True),
        sa.Column("presence", sa.String(length=10), nullable=False, server_default="online"),
        sa.Column("presence_message", sa.String(length=100), nullable=False, server_default=""),
        sa.Column("avatar", sa.JSON(), nullable=True),
        sa.Column("chat_anonymous", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("totp_secret", sa.Text(), nullable=True),
        sa.Column("totp_enabled_at", INSTANT, nullable=True),
        sa.Column("totp_last_step", sa.Integer(), nullable=True),
        sa.Column("oidc_issuer", sa.String(length=300), nullable=True),
        sa.Column("oidc_subject", sa.String(length=200), nullable=True),
        sa.Column("oidc_read_at", INSTANT, nullable=True),
        sa.Column("last_login_at", INSTANT, nullable=True),
    ):
        op.add_column("users", column)
    _number("users")
    op.execute("UPDATE users SET role = 'user' WHERE role = 'viewer'")
    op.execute(
        "UPDATE users SET role = 'superadmin' WHERE id = "
        "(SELECT id FROM users WHERE role = 'admin' AND customer_id IS NULL ORDER BY created_at, id LIMIT 1)"
    )
    op.create_index(op.f("ix_users_number"), "users", ["number"], unique=True)
    op.create_index("ix_users_oidc", "users", ["oidc_issuer", "oidc_subject"], unique=True)


def _number(table: str) -> None:
    """Give every row its integer id, the oldest first, and remember the last one."""
    connection = op.get_bind()
    rows = sa.table(table, sa.column("id"), sa.column("number"), sa.column("created_at"))
    ids = connection.execute(sa.select(rows.c.id).order_by(rows.c.created_at, rows.c.id)).scalars().all()
    for number, id_ in enumerate(ids, start=1):
        connection.execute(sa.update(rows).where(rows.c.id == id_).values(number=number))
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    connection.execute(sa.insert(counters).values(name=table, value=len(ids)))


def _sessions() -> None:
    for column in (
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("method", sa.String(length=20), nullable=False, server_default="password"),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("refresh_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("oidc_sid", sa.String(length=200), nullable=True),
        sa.Column("oidc_id_token", sa.Text(), nullable=True),
        sa.Column("last_used_at", INSTANT, nullable=True),
    ):
        op.add_column("sessions", column)
    op.create_index(op.f("ix_sessions_refresh_sha256"), "sessions", ["refresh_sha256"])
    op.create_index(op.f("ix_sessions_oidc_sid"), "sessions", ["oidc_sid"])
    op.create_table(
        "oidc_marks",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oidc_marks")),
    )
    op.create_index(op.f("ix_oidc_marks_expires_at"), "oidc_marks", ["expires_at"])


def _api_keys() -> None:
    for column in (
        sa.Column("number", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("style", sa.String(length=10), nullable=False, server_default="apps"),
        sa.Column("scopes", sa.Text(), nullable=False, server_default="*"),
        sa.Column("rate", sa.Integer(), nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
    ):
        op.add_column("api_keys", column)
    _number("api_keys")
    op.execute("UPDATE api_keys SET scopes = 'services:read' WHERE role = 'viewer'")
    op.execute("UPDATE api_keys SET style = 'machine' WHERE name = 'The shell of this machine'")
    op.create_index(op.f("ix_api_keys_number"), "api_keys", ["number"], unique=True)
    op.drop_column("api_keys", "role")


def _second_factors() -> None:
    op.create_table(
        "backup_codes",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        _of_user("backup_codes"),
        sa.PrimaryKeyConstraint("user_id", "sha256", name=op.f("pk_backup_codes")),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("credential", sa.String(length=400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        _of_user("passkeys"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential", name=op.f("uq_passkeys_credential")),
    )
    op.create_index(op.f("ix_passkeys_user_id"), "passkeys", ["user_id"])


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_user_id")
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name, ondelete="CASCADE")


def _invites() -> None:
    op.create_table(
        "invites",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=12), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("created_by", sa.String(length=40), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invites")),
        sa.UniqueConstraint("code", name=op.f("uq_invites_code")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "registrations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("invite_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["invite_id"], ["invites.id"], name=op.f("fk_registrations_invite_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registrations")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_registrations_invite_id"), "registrations", ["invite_id"])
    op.create_index(op.f("ix_registrations_network"), "registrations", ["network"])


def _ssh_keys() -> None:
    op.create_table(
        "ssh_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("key_type", sa.String(length=10), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=60), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        _of_user("ssh_keys"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ssh_keys")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_ssh_keys_user_id"), "ssh_keys", ["user_id"])


def _certificates() -> None:
    op.create_table(
        "client_certificates",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("allowed_sites", sa.JSON(), nullable=False),
        sa.Column("enrollment_method", sa.String(length=20), nullable=False),
        sa.Column("fingerprint_sha256", sa.String(length=64), nullable=False),
        sa.Column("delegated_by", sa.String(length=100), nullable=True),
        sa.Column("created_by", sa.String(length=40), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        _of_user("client_certificates"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_certificates")),
        sa.UniqueConstraint("serial", name=op.f("uq_client_certificates_serial")),
    )
    op.create_index(op.f("ix_client_certificates_label"), "client_certificates", ["label"])
    op.create_index(op.f("ix_client_certificates_user_id"), "client_certificates", ["user_id"])
    good = sa.text("kind <> 'person' AND revoked_at IS NULL")
    op.create_index(
        "uq_client_certificates_good_label",
        "client_certificates",
        ["label"],
        unique=True,
        sqlite_where=good,
        postgresql_where=good,
    )
    op.create_table(
        "enrolment_tokens",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("delegated_by", sa.String(length=100), nullable=True),
        sa.Column("created_by", sa.String(length=40), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_enrolment_tokens")),
    )
    op.create_index(op.f("ix_enrolment_tokens_label"), "enrolment_tokens", ["label"])


def _audit() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=False),
        sa.Column("actor_number", sa.Integer(), nullable=False),
        sa.Column("actor_name", sa.String(length=100), nullable=False),
        sa.Column("credential", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("target_type", sa.String(length=40), nullable=False),
        sa.Column("target_id", sa.String(length=200), nullable=False),
        sa.Column("result", sa.String(length=10), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    for column in ("created_at", "actor_id", "action"):
        op.create_index(op.f(f"ix_audit_log_{column}"), "audit_log", [column])
    op.create_table(
        "audit_ends",
        sa.Column("name", sa.String(length=8), nullable=False),
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_ends")),
    )
