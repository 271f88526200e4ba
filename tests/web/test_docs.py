"""The API's document and its readers, with nothing from elsewhere. (F01, F02)"""

from __future__ import annotations

import re

import pytest

from homeport.testing.door import Door


@pytest.mark.parametrize(
    ("path", "asset"),
    [
        ("/docs", "/vendor/swagger-ui/swagger-ui-bundle.js"),  # F01
        ("/redoc", "/vendor/redoc/redoc.standalone.js"),  # F02
    ],
)
async def test_a_reader_is_a_page_for_everybody_with_local_assets_only(door: Door, path: str, asset: str) -> None:
    async with door.client() as client:
        page = await client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    references = re.findall(r'(?:src|href|spec-url)="([^"]*)"', page.text)
    assert asset in references
    assert all(re.match(r"/[^/]", reference) for reference in references)
    assert "<script>" not in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "http" not in policy


async def test_the_readers_start_script_reads_our_document(door: Door) -> None:
    async with door.client() as client:
        script = await client.get("/docs/start.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert '"/openapi.json"' in script.text
    assert "http" not in script.text


async def test_the_document_names_every_call_once_with_its_permission_and_its_errors(door: Door) -> None:
    async with door.client() as client:
        document = (await client.get("/openapi.json")).json()
    operations = [(path, operation) for path, item in document["paths"].items() for operation in item.values()]
    names = [operation["operationId"] for _, operation in operations]
    assert "create_api_key" in names
    assert len(names) == len(set(names))
    for path, operation in operations:
        assert operation["tags"], path
        assert operation["x-permission"], path
        assert "422" not in operation["responses"], path
        assert operation["responses"]["default"]["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/Error"
        }
    assert document["paths"]["/api/health"]["get"]["security"] == []
    assert document["paths"]["/api/auth/me"]["get"]["security"] == [{"bearer": []}, {"session": []}]
    assert document["components"]["securitySchemes"].keys() == {"bearer", "session"}
    assert "/docs" not in document["paths"]
