"""Stacks of containers, endpoints, customers and plans, custom domains."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GATES = ("template", "git", "ai", "compose", "custom_domains", "backup", "notifications", "api_access")


def upgrade() -> None:
    with op.batch_alter_table("services") as table:
        table.add_column(sa.Column("compose", sa.Text(), nullable=True))
        table.add_column(sa.Column("dockerfile", sa.Text(), nullable=True))
        table.add_column(sa.Column("ai_url", sa.Text(), nullable=True))
        table.add_column(sa.Column("endpoint", sa.JSON(), nullable=True))
    with op.batch_alter_table("releases") as table:
        table.add_column(sa.Column("driver", sa.String(length=16), nullable=False, server_default="process"))
        table.add_column(sa.Column("compose", sa.Text(), nullable=True))
        table.add_column(sa.Column("images", sa.JSON(), nullable=True))
    op.create_table(
        "plans",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("sort_order", sa.Integer(), nullable=False),
        sa.Column("max_services", sa.Integer(), nullable=True),
        sa.Column("max_cpu", sa.Float(), nullable=True),
        sa.Column("max_memory_mb", sa.Integer(), nullable=True),
        sa.Column("max_storage_mb", sa.Integer(), nullable=True),
        sa.Column("bandwidth_mb", sa.Integer(), nullable=False),
        *(sa.Column(f"allow_{name}", sa.Boolean(), nullable=False) for name in GATES),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("name", name=op.f("uq_plans_name")),
    )
    op.create_table(
        "customers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("plan_id", sa.String(length=40), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_customers_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("name", name=op.f("uq_customers_name")),
    )
    op.create_index(op.f("ix_customers_plan_id"), "customers", ["plan_id"])
    op.create_table(
        "service_domains",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("service_id", sa.String(length=40), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proven", sa.String(length=253), nullable=True),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_service_domains_service_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_domains")),
        sa.UniqueConstraint("proven", name=op.f("uq_service_domains_proven")),
    )
    op.create_index("ix_service_domains_service_domain", "service_domains", ["service_id", "domain"], unique=True)


def downgrade() -> None:
    for name in ("service_domains", "customers", "plans"):
        op.drop_table(name)
    with op.batch_alter_table("releases") as table:
        for name in ("images", "compose", "driver"):
            table.drop_column(name)
    with op.batch_alter_table("services") as table:
        for name in ("endpoint", "ai_url", "dockerfile", "compose"):
            table.drop_column(name)
