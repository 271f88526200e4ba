"""Leases of the relay, its policy, its peers, and tunnels for services."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "relay_leases",
        sa.Column("identity_key", sa.String(length=110), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("hostname", sa.String(length=253), nullable=False),
        sa.Column("route_hostname", sa.String(length=253), nullable=False),
        sa.Column("hostname_hash", sa.String(length=64), nullable=False),
        sa.Column("ech_config_list", sa.LargeBinary(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("client_ip", sa.String(length=45), nullable=False),
        sa.Column("reported_ip", sa.String(length=45), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=True),
        sa.Column("tcp_enabled", sa.Boolean(), nullable=False),
        sa.Column("udp_enabled", sa.Boolean(), nullable=False),
        sa.Column("tcp_port", sa.Integer(), nullable=False),
        sa.Column("udp_port", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("identity_key", name=op.f("pk_relay_leases")),
        sa.UniqueConstraint("id", name=op.f("uq_relay_leases_id")),
    )
    op.create_index(op.f("ix_relay_leases_owner_id"), "relay_leases", ["owner_id"])
    op.create_table(
        "relay_identity_policies",
        sa.Column("identity_key", sa.String(length=110), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("denied", sa.Boolean(), nullable=False),
        sa.Column("banned", sa.Boolean(), nullable=False),
        sa.Column("bps", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("identity_key", name=op.f("pk_relay_identity_policies")),
    )
    op.create_table(
        "relay_banned_networks",
        sa.Column("network", sa.String(length=49), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("network", name=op.f("pk_relay_banned_networks")),
    )
    op.create_table(
        "relay_peers",
        sa.Column("url", sa.String(length=300), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("descriptor", sa.Text(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("issued_at_ns", sa.String(length=20), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_relay_peers")),
    )
    op.create_index(op.f("ix_relay_peers_address"), "relay_peers", ["address"])
    _shares()


def _shares() -> None:
    op.create_table(
        "shares",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("service_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("owner_name", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("relays", sa.JSON(), nullable=False),
        sa.Column("access", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("hide", sa.Boolean(), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_shares_service_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sa.UniqueConstraint("name", name=op.f("uq_shares_name")),
    )
    op.create_index(op.f("ix_shares_owner_id"), "shares", ["owner_id"])
    op.create_index(op.f("ix_shares_service_id"), "shares", ["service_id"])
