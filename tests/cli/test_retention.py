"""The verb retention against a real portal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeport.testing.portal import PortalProcess


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    with PortalProcess(tmp_path_factory.mktemp("portal")) as portal:
        yield portal


def test_it_is_shown_changed_and_run(portal: PortalProcess) -> None:
    shown = portal.ask("retention")  # portal B5
    assert (shown["retention_audit_log_days"], shown["preview"]["audit_log"]) == ("90", 0)
    changed = portal.ask("retention", "set", "retention_audit_log_days=365", "auto_vacuum=false")
    assert changed["updated"] == ["retention_audit_log_days", "auto_vacuum"]
    lines = portal.homeport("retention").stdout.splitlines()
    assert lines[0].split() == ["SETTING", "KEPT", "TO", "DELETE", "OF"]
    assert any(line.split()[:3] == ["retention_audit_log_days", "365", "days"] for line in lines)
    assert lines[-1] == "Runs every 6 hours; last run: never."
    assert portal.ask("retention", "run")["cleanup_complete"] is True
    assert portal.homeport("retention", "run").stdout == "Deleted: nothing.\n"


def test_what_does_not_fit_is_refused(portal: PortalProcess) -> None:
    assert portal.homeport("retention", "set", "retention_chat_days").returncode == 2
    refused = portal.homeport("retention", "set", "retention_chat_days=9999")
    assert refused.returncode != 0
    assert "3650" in refused.stderr
