"""Every template that comes with the portal, judged by what they all promise: a new one is covered by being there.

# apps B.5, C.1, G.1
"""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from homeport.services import compose
from homeport.services.compose import Origin, Stack
from homeport.services.sources.template import Template, load_template
from homeport.services.sources.templates import BUILT_IN, Templates

FOLDERS = sorted(folder for folder in BUILT_IN.iterdir() if folder.is_dir())
GIVEN = {"HOMEPORT_URL": "https://demo.example.org", "HOMEPORT_SERVICE": "demo"}  # the portal hands these to all
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "templates.md"
SVG = "{http://www.w3.org/2000/svg}"
DRAWN = {"svg", "g", "rect", "circle", "ellipse", "path"}
SECRET_NAME = re.compile(r"PASS(WORD|WD)?$|SECRET|TOKEN|_KEY$|_IV$|^(TOKEN|PASSWORD)$")


@cache
def read(folder_name: str) -> Template:
    return load_template(BUILT_IN / folder_name)


def composed() -> Sequence[str]:
    return [folder.name for folder in FOLDERS if read(folder.name).compose is not None]


@cache
def stack(template_id: str) -> Stack:
    """As a deploy with nothing filled in has it. Raises ComposeRefused."""
    template = read(template_id)
    values = template.resolve({}, {}, service_name="demo").values
    return compose.read(text(template_id), {**values, **GIVEN}, origin=Origin.TENANT, name="demo")


def text(template_id: str) -> str:
    found = read(template_id).compose
    assert found is not None
    return found


every = pytest.mark.parametrize("template_id", [folder.name for folder in FOLDERS])
every_composed = pytest.mark.parametrize("template_id", composed())


def test_more_than_forty_apps_come_with_the_portal_and_every_folder_is_one() -> None:
    assert len(composed()) >= 40
    assert {one.id for one in Templates.load().list()} == {folder.name for folder in FOLDERS}


def test_reading_them_all_takes_a_moment_only() -> None:
    began = time.thread_time()
    Templates.load().list()
    assert time.thread_time() - began < 1


def test_ids_and_titles_are_unique() -> None:
    templates = Templates.load().list()
    for values in ([one.id for one in templates], [one.name.casefold() for one in templates]):
        assert len(set(values)) == len(values)


def test_every_category_has_some() -> None:
    assert {one.category for one in Templates.load().list()} == {"ai", "webapps", "databases", "devtools"}


@every
def test_it_is_described_in_two_sentences_or_a_few_more(template_id: str) -> None:
    template = read(template_id)
    assert 60 <= len(template.description) <= 300
    assert 2 <= len(re.findall(r"[.?!](?= [A-Z/]|$)", template.description)) <= 3
    assert template.tags
    assert all(variable.description for variable in template.variables)


@every
def test_its_logo_is_a_drawing_and_nothing_else(template_id: str) -> None:
    logo = read(template_id).logo
    assert len(logo) < 2000
    for element in ET.fromstring(logo).iter():
        assert element.tag.removeprefix(SVG) in DRAWN
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert "href" not in name
            assert "url(" not in value
            assert ":" not in value


@every
def test_no_secret_has_a_value_that_everybody_knows(template_id: str) -> None:
    for variable in read(template_id).variables:
        assert not (variable.secret and variable.default)
        if SECRET_NAME.search(variable.name):
            assert variable.secret
            assert variable.generate is not None


@every_composed
def test_the_policy_admits_it_with_its_defaults_and_generated_secrets(template_id: str) -> None:
    assert stack(template_id).services


@every_composed
def test_requests_go_to_the_port_that_the_catalogue_shows(template_id: str) -> None:
    assert stack(template_id).port == read(template_id).port


@every_composed
def test_every_variable_is_declared_and_used(template_id: str) -> None:
    asked = set(compose.variables_of(text(template_id))) - GIVEN.keys()
    assert asked == {variable.name for variable in read(template_id).variables}


@every_composed
def test_it_states_everything_that_it_needs_without_a_person(template_id: str) -> None:
    """A required variable has a default or is generated: one click deploys it."""
    for variable in read(template_id).variables:
        assert not variable.required or variable.default or variable.generate


@every_composed
def test_every_image_is_pinned_to_a_version(template_id: str) -> None:
    for service in stack(template_id).services:
        assert service.image is not None
        tag = service.image.rpartition("/")[2].partition(":")[2]
        assert re.search(r"\d", tag), service.image
        assert not re.search(r"latest|nightly|edge|main|master|dev", tag), service.image


@every_composed
def test_all_that_is_written_to_a_volume_is_declared_and_every_volume_is_used(template_id: str) -> None:
    mounted = {mount.source for one in stack(template_id).services for mount in one.mounts if mount.type == "volume"}
    assert mounted == set(stack(template_id).volumes)


@every_composed
def test_a_secret_reaches_the_containers_by_their_environment_only(template_id: str) -> None:
    """Everybody on the machine can read the arguments of a process, and labels and images."""
    template = read(template_id)
    marks = {one.name: f"{number:02}mark0123456789abcdef0123456789ab" for number, one in enumerate(template.variables)}
    secrets = {one.name: marks[one.name] for one in template.variables if one.secret}
    values = template.resolve(secrets, {}, service_name="demo").values
    for service in compose.read(text(template_id), {**values, **GIVEN}, name="demo").services:
        test = service.healthcheck.test if service.healthcheck else ()
        seen = " ".join((*(service.command or ()), *(service.entrypoint or ()), *test, *service.labels.values()))
        assert not any(secret in seen for secret in secrets.values())


@every_composed
def test_it_follows_the_house_style(template_id: str) -> None:
    template = read(template_id)
    assert not re.search(r"^(version|name):|^ +(ports|container_name):", text(template_id), re.MULTILINE)
    assert all(service.restart == "unless-stopped" for service in stack(template_id).services)
    assert stack(template_id).web.expose, "the routed service says where it listens"
    assert template.memory_mb >= 64
    assert template.storage_mb >= 64
    for service in stack(template_id).services:
        for other, condition in service.depends_on.items():
            if condition == "service_healthy":
                assert stack(template_id).service(other).healthcheck is not None


def test_the_example_of_the_guide_is_a_template(tmp_path: Path) -> None:
    example = GUIDE.read_text().partition("```yaml\n")[2].partition("```\n")[0]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "template.yaml").write_text(example)
    template = load_template(tmp_path / "notes")
    values = template.resolve({}, {}, service_name="demo").values
    read_back = compose.read(template.compose or "", {**values, **GIVEN}, name="demo")
    assert (read_back.routed, read_back.port) == ("notes", template.port)
    assert read_back.service("notes").environment["BASE_URL"] == GIVEN["HOMEPORT_URL"]
