"""The catalogue of templates, spec v2, and the variables of a template."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
import yaml

from homeport.kit.masking import MASK
from homeport.kit.problems import ValidationFailed
from homeport.services.problems import SourceRefused, TemplateNotFound
from homeport.services.sources.template import TemplateInvalid, load_template
from homeport.services.sources.template_variables import Resolved
from homeport.services.sources.templates import BUILT_IN, Templates

GOOD = """
apiVersion: v2
kind: Template
metadata:
  name: tool
  displayName: Tool
  description: A tool for tests.
  category: devtools
  tags: [test]
spec:
  source: files
  domains:
    - port: 9000
  minResources: {cpuCores: 0.5, memoryMB: 128, storageMB: 32}
  healthcheck: {path: /up, interval: 2m, timeout: 3s}
  variables:
    - {name: SERVICE_NAME, label: Name, type: string, required: true}
    - {name: SIZE, type: int, default: 3, min: 1, max: 9}
    - {name: LOUD, type: bool, default: false}
    - {name: COLOUR, type: enum, options: [red, blue], default: red}
    - {name: HOST_NAME, type: domain}
    - {name: ADMIN_PASSWORD, type: password, required: true}
    - {name: KEY, type: secret, generate: "hex:16"}
"""


def folder(tmp_path: Path, text: str = GOOD) -> Path:
    made = tmp_path / "tool"
    (made / "files").mkdir(parents=True)
    (made / "files" / "main.py").write_text("print(1)\n")
    (made / "template.yaml").write_text(text)
    return made


def resolved(tmp_path: Path, given: dict[str, object], kept: dict[str, str] | None = None) -> Resolved:
    return load_template(folder(tmp_path)).resolve(given, kept or {}, service_name="my-tool")


def faults(tmp_path: Path, given: dict[str, object]) -> dict[str, str]:
    with pytest.raises(ValidationFailed) as caught:
        resolved(tmp_path, given)
    assert caught.value.details is not None
    fields: dict[str, str] = caught.value.details["fields"]
    return fields


# A03: the catalogue


STARTERS = [BUILT_IN / name for name in ("node-app", "python-app", "static-site")]


def test_three_templates_run_without_containers() -> None:
    found = [template.id for template in Templates.load().list() if template.driver == "process"]
    assert found == ["node-app", "python-app", "static-site"]


def test_the_catalogue_is_filtered_searched_and_sorted() -> None:
    templates = Templates(STARTERS)
    assert [one.id for one in templates.list(category="webapps")] == ["static-site"]
    assert [one.id for one in templates.list(featured=False)] == ["node-app"]
    assert [one.id for one in templates.list(search="PYTHON plain")] == ["python-app"]
    assert [one.id for one in templates.list(search="none of these")] == []
    assert [one.id for one in templates.list(sort="featured")] == ["python-app", "static-site", "node-app"]
    assert [one.id for one in templates.list(sort="category")] == ["node-app", "python-app", "static-site"]


def test_a_row_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    assert load_template(folder(tmp_path)).row() == {
        "id": "tool",
        "name": "Tool",
        "description": "A tool for tests.",
        "category": "devtools",
        "featured": False,
        "trending": False,
        "coming_soon": False,
        "tags": ["test"],
        "driver": "process",
        "logo": "/api/templates/tool/logo",
        "security_profile": "secure",
        "min_resources": {"cpu": 0.5, "memory_mb": 128, "storage_mb": 32},
    }


def test_the_detail_adds_healthcheck_expose_and_variables(tmp_path: Path) -> None:
    detail = load_template(folder(tmp_path)).detail()
    assert detail["healthcheck"] == {
        "path": "/up",
        "port": None,
        "interval": "2m",
        "timeout": "3s",
        "start_period": None,
    }
    assert detail["expose"] == {"port": 9000, "protocol": "http"}
    assert detail["variables"][1] == {
        "name": "SIZE",
        "label": "SIZE",
        "type": "int",
        "required": False,
        "description": "",
        "default": "3",
        "options": [],
        "secret": False,
        "generated": False,
        "min": 1,
        "max": 9,
    }
    assert [one["name"] for one in detail["variables"] if one["secret"]] == ["ADMIN_PASSWORD", "KEY"]


def test_the_health_check_becomes_a_probe_in_seconds(tmp_path: Path) -> None:
    assert load_template(folder(tmp_path)).probe() == {"type": "http", "path": "/up", "interval": 120.0, "timeout": 3.0}


def test_an_unknown_template_names_those_that_are_near() -> None:
    with pytest.raises(TemplateNotFound, match="did you mean python-app"):
        Templates(STARTERS).get("pyton-app")
    with pytest.raises(TemplateNotFound, match="there are 3, none of that name"):
        Templates(STARTERS).get("zzz")


def test_every_logo_is_an_image_of_its_own() -> None:
    logos = [template.logo for template in Templates.load().list()]
    assert all(logo.startswith("<svg") and logo.endswith("</svg>") for logo in logos)
    assert len(set(logos)) == len(logos)


def test_a_faulty_template_of_the_administrator_hides_no_other(tmp_path: Path) -> None:
    folder(tmp_path)
    for name in ("broken", "python-app"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "template.yaml").write_text("apiVersion: v3\n")
    templates = Templates.load([tmp_path])
    found = {one.id for one in templates.list()}
    assert {"node-app", "python-app", "static-site", "tool"} <= found
    assert "broken" not in found
    assert templates.get("python-app").folder == BUILT_IN / "python-app"


def test_nothing_is_read_before_it_is_asked_for_and_then_only_once(tmp_path: Path) -> None:
    made = folder(tmp_path)
    templates = Templates([made, tmp_path / "never-read"])
    first = templates.get("tool")
    (made / "template.yaml").unlink()
    assert templates.get("tool") is first


# Templates that need containers


COMPOSED = GOOD.replace(
    "  source: files\n", "  compose: |\n    services:\n      web:\n        image: nginx:1.27\n        expose: [9000]\n"
)


def test_a_template_with_compose_text_needs_containers(tmp_path: Path) -> None:
    made = folder(tmp_path, COMPOSED)
    shutil.rmtree(made / "files")
    template = load_template(made)
    assert template.compose == "services:\n  web:\n    image: nginx:1.27\n    expose: [9000]\n"
    assert (template.row()["driver"], template.detail()["source"]) == ("compose", "compose")


async def test_its_revision_is_the_digest_of_the_text(tmp_path: Path) -> None:
    template = load_template(folder(tmp_path, COMPOSED))
    revision = await template.copy(tmp_path / "into")
    assert (tmp_path / "into" / "compose.yaml").read_text() == template.compose
    assert revision == await template.copy(tmp_path / "again")


def test_a_first_start_that_takes_longer_is_told_to_the_probe(tmp_path: Path) -> None:
    slow = GOOD.replace("timeout: 3s}", "timeout: 3s, startPeriod: 3m}")
    assert (load_template(folder(tmp_path, slow)).probe() or {})["start_period"] == 180.0


# The file


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("apiVersion: v2", "apiVersion: v1", "apiVersion must be one of: v2"),
        ("kind: Template", "kind: Thing", "kind must be one of: Template"),
        ("  name: tool\n", "  name: Tool!\n", "metadata.name must be a slug"),
        ("  name: tool\n", "  name: other\n", "metadata.name must be the folder's name"),
        ("  displayName: Tool\n", "", "metadata.displayName is required"),
        ("devtools", "games", "metadata.category must be one of: ai, webapps"),
        ("  tags: [test]", "  tags: test", "metadata.tags must be a list"),
        ("  tags: [test]", "  tgas: [test]", "metadata.tgas is not a known key"),
        ("  tags: [test]", "  icon: <b>", "metadata.icon must be an inline SVG"),
        ("  tags: [test]", "  icon: <svg><script/></svg>", "metadata.icon must be an inline SVG"),
        ("  tags: [test]", "  icon: <svg onload='x'></svg>", "metadata.icon must be an inline SVG"),
        ("  tags: [test]", "  trending: maybe", "metadata.trending must be true or false"),
        ("  source: files\n", "", "spec.source is required"),
        ("  source: files", "  source: files\n  compose: x", "spec.source cannot stand beside"),
        ("  source: files", "  compose: {services: {}}", "spec.compose must be text"),
        ("timeout: 3s}", "timeout: 3s, startPeriod: long}", "spec.healthcheck.startPeriod must be like 2m"),
        ("port: 9000", "port: 90000", "spec.domains[0].port must be a whole number from 1 to 65535"),
        ("memoryMB: 128", "memoryMB: lots", "spec.minResources.memoryMB must be a whole number"),
        ("path: /up", "path: up", "spec.healthcheck.path must begin with /"),
        ("interval: 2m", "interval: 2h", "spec.healthcheck.interval must be like 30s"),
        ("name: SIZE", "name: MY-SIZE", "spec.variables[1].name must be letters"),
        ("name: LOUD", "name: SIZE", "spec.variables[2].name SIZE is there twice"),
        ("default: 3", "default: 30", "spec.variables[1].default must be from 1 to 9"),
        ("type: domain", "type: color", "spec.variables[4].type must be one of"),
        ("options: [red, blue], ", "", "spec.variables[3].options belong to the type enum"),
        ('"hex:16"', "md5", "spec.variables[6].generate must be password, hex"),
        ("type: password, required: true", "type: password, default: admin", "spec.variables[5].default is not for"),
        ("kind: Template", "kind: Template\nkind: Template", "the key 'kind' is there twice"),
        ("kind: Template", "kind: &a Template", "anchors and aliases"),
        ("kind: Template", "kind: !!str Template", "tags are not accepted"),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(TemplateInvalid) as caught:
        load_template(folder(tmp_path, GOOD.replace(old, new, 1)))
    assert reason in caught.value.message


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        load_template(folder(tmp_path, "apiVersion: v9\nmetadata: 3\nspec: {source: files}\n"))
    assert caught.value.details is not None
    assert {"apiVersion", "kind", "metadata.name", "metadata.displayName"} <= set(caught.value.details["fields"])


def test_a_template_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "template.yaml").symlink_to("/etc/passwd")
    with pytest.raises(TemplateInvalid, match="symbolic link"):
        load_template(tmp_path / "tool")


# Variables


def test_what_is_not_given_is_defaulted_or_generated(tmp_path: Path) -> None:
    got = resolved(tmp_path, {})
    assert got.values["SERVICE_NAME"] == "my-tool"
    assert (got.values["SIZE"], got.values["LOUD"], got.values["COLOUR"]) == ("3", "false", "red")
    assert len(got.values["ADMIN_PASSWORD"]) == 24
    assert len(bytes.fromhex(got.values["KEY"])) == 16
    assert got.generated == got.secret == {"ADMIN_PASSWORD", "KEY"}


def test_generated_secrets_are_kept_over_redeploys(tmp_path: Path) -> None:
    first = resolved(tmp_path / "a", {})
    second = resolved(tmp_path / "b", {"SIZE": "4"}, first.values)
    assert second.values == {**first.values, "SIZE": "4"}
    assert second.generated == frozenset()


def test_two_services_never_share_a_generated_secret(tmp_path: Path) -> None:
    assert resolved(tmp_path / "a", {}).values["KEY"] != resolved(tmp_path / "b", {}).values["KEY"]


def test_a_given_secret_is_taken_and_a_masked_one_means_unchanged(tmp_path: Path) -> None:
    got = resolved(tmp_path, {"ADMIN_PASSWORD": "mine", "KEY": MASK}, {"KEY": "kept"})
    assert (got.values["ADMIN_PASSWORD"], got.values["KEY"]) == ("mine", "kept")
    assert got.generated == frozenset()


def test_values_are_brought_to_one_spelling(tmp_path: Path) -> None:
    got = resolved(tmp_path, {"SIZE": 7, "LOUD": True, "HOST_NAME": "App.Example.ORG"})
    assert (got.values["SIZE"], got.values["LOUD"], got.values["HOST_NAME"]) == ("7", "true", "app.example.org")


def test_other_names_become_variables_of_the_app(tmp_path: Path) -> None:
    assert resolved(tmp_path, {"EXTRA": "a\nb: ${KEY}"}).values["EXTRA"] == "a\nb: ${KEY}"


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    assert faults(
        tmp_path,
        {"SIZE": "many", "LOUD": "maybe", "COLOUR": "green", "HOST_NAME": "-x", "bad name": "1", "L": [1], "N": "a\0b"},
    ) == {
        "variables.SIZE": "must be a whole number",
        "variables.LOUD": "must be true or false",
        "variables.COLOUR": "must be one of: red, blue",
        "variables.HOST_NAME": "must be a domain name such as app.example.org",
        "variables.bad name": "a name has letters, digits and _, and does not begin with a digit",
        "variables.L": "must be text, a number, true or false, at most 32768 characters",
        "variables.N": "must be text, a number, true or false, at most 32768 characters",
    }


def test_a_number_out_of_its_range_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, {"SIZE": 10}) == {"variables.SIZE": "must be from 1 to 9"}


def test_a_required_variable_without_a_value_is_refused(tmp_path: Path) -> None:
    data = yaml.safe_load(GOOD)
    data["spec"]["variables"] = [{"name": "URL", "required": True}]
    template = load_template(folder(tmp_path, yaml.safe_dump(data)))
    with pytest.raises(ValidationFailed, match=r"variables\.URL: is required"):
        template.resolve({}, {}, service_name="x")


def test_a_template_that_is_coming_soon_cannot_be_deployed(tmp_path: Path) -> None:
    template = load_template(folder(tmp_path, GOOD.replace("  tags: [test]", "  comingSoon: true")))
    with pytest.raises(TemplateInvalid, match="coming soon"):
        template.resolve({}, {}, service_name="x")


# Files


async def test_a_copy_has_the_files_and_a_digest_of_them(tmp_path: Path) -> None:
    made = folder(tmp_path)
    template = load_template(made)
    first = await template.copy(tmp_path / "release")
    assert (tmp_path / "release" / "main.py").read_text() == "print(1)\n"
    assert (await template.copy(tmp_path / "release")).id == first.id
    (made / "files" / "main.py").write_text("print(2)\n")
    assert (await template.copy(tmp_path / "release")).id != first.id
    assert sorted(path.name for path in tmp_path.iterdir()) == ["release", "tool"]


def test_a_link_out_of_a_templates_files_is_refused(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "files" / "Procfile").symlink_to("/etc/passwd")
    with pytest.raises(SourceRefused, match="Procfile is a symbolic link"):
        asyncio.run(load_template(made).copy(tmp_path / "release"))
    assert not (tmp_path / "release").exists()
