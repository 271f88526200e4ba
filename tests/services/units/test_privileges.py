"""A portal that is not root: the sudo rule that `homeport init --systemd` makes, tried with the real sudo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from homeport.kit.clock import SystemClock
from homeport.services.units import Tools, Units
from homeport.services.units.journals import Journals
from homeport.services.units.privileges import sudo_rule
from homeport.services.units.problems import ActionFailed
from homeport.settings import Settings
from homeport.testing.systemd import SystemdHost
from tests.services.units.conftest import say
from tests.services.units.test_journals import until_marked

USER = "portal"


@pytest.fixture(scope="module")
def unprivileged(host: SystemdHost) -> Tools:
    """Tools as a user of that machine who has the rule for `web` and `homeport`, and may read the journal."""
    host.run("useradd", "--system", "--no-create-home", "--groups", "systemd-journal", USER)
    rule = host.root / "etc/sudoers.d/homeport-units"
    rule.write_text(sudo_rule(("web", "homeport"), own="homeport", user=USER))
    rule.chmod(0o440)
    host.run("visudo", "-c", "-f", "/etc/sudoers.d/homeport-units")
    return Tools((*host.tools, "runuser", "-u", USER, "--"), elevate=("sudo", "-n"))


async def test_the_rule_allows_exactly_its_units_and_actions(unprivileged: Tools) -> None:  # host A.2, F6
    units = Units(("web", "idle"), own="homeport", clock=SystemClock(), tools=unprivileged)
    for action in ("restart", "reload"):
        assert (await units.act("web", action, by="test")).status == "active"
    with pytest.raises(ActionFailed) as refused:  # it does not ask for a password that nobody could give
        await units.act("idle", "start", by="test")
    assert "password" in refused.value.said
    assert "••••" not in refused.value.said
    await units.close()


async def test_members_of_the_group_read_journals_and_others_are_told(  # host F2
    unprivileged: Tools, host: SystemdHost
) -> None:
    say(host, "for the group")
    journals = Journals(unprivileged, SystemClock())
    async with journals.follow("talker") as following:
        await until_marked(following, "for the group")
    await journals.close()
    stranger = Journals(Tools((*host.tools, "runuser", "-u", "nobody", "--"), elevate=()), SystemClock())
    async with stranger.follow("talker") as following:
        assert [entry async for entry in following] == []
        assert following.ending.code == 1011


def test_the_rule_names_whole_commands_and_never_a_stop_of_the_portal() -> None:  # host A.2
    rule = sudo_rule(("web", "at@b:c"), own="web", user="homeport")
    assert "/usr/bin/systemctl --no-block restart web" in rule
    assert "stop web" not in rule
    assert r"/usr/bin/systemctl stop at@b\:c" in rule
    assert "*" not in rule


@pytest.mark.parametrize("name", ["-rf", "a b", "a;b", "a/b", "x.timer", "", "a\nb"])
def test_a_name_that_is_none_is_refused_in_the_setting(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a service unit"):
        Settings(units=(name,))


def test_a_suffix_of_a_unit_may_be_written() -> None:
    assert Settings(units=("nginx.service", "getty@tty1")).units == ("nginx", "getty@tty1")


@pytest.mark.parametrize("user", ["root ALL", "a,b", "", "A"])
def test_a_user_name_that_is_none_is_refused(user: str) -> None:
    with pytest.raises(ValueError, match="user name"):
        sudo_rule(("web",), own="homeport", user=user)


def test_the_shell_prints_a_rule_that_visudo_accepts(tmp_path: Path) -> None:
    (tmp_path / "homeport.toml").write_text('units = ["nginx", "homeport"]')
    words = ["init", "--systemd", "--print", "--user", "ada", "--data-dir", str(tmp_path), "--json"]
    done = subprocess.run([sys.executable, "-m", "homeport", *words], capture_output=True, text=True, check=True)
    rule = tmp_path / "rule"
    rule.write_text(json.loads(done.stdout)["rule"])
    assert "ada ALL=(root) NOPASSWD: HOMEPORT_UNITS" in rule.read_text()
    checked = subprocess.run(["visudo", "-c", "-f", str(rule)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
