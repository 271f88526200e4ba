"""Git addresses and branches, judged before any process starts."""

from __future__ import annotations

import pytest

from homeport.services.problems import SourceRefused
from homeport.services.sources.address import check_branch, check_url


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://github.com/user/repo.git", "github.com", 443),
        ("https://github.com/user/repo", "github.com", 443),
        ("https://git.example.org:8443/a/b_c/~d/e.f-g", "git.example.org", 8443),
        ("HTTPS://Example.com/x", "example.com", 443),
        ("https://[2606:2800::1]:444/x", "2606:2800::1", 444),
    ],
)
def test_an_ordinary_address_is_accepted(url: str, host: str, port: int) -> None:
    address = check_url(url)
    assert (address.url, address.host, address.port) == (url, host, port)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is missing"),
        ("--upload-pack=touch /tmp/x", "begins with a hyphen"),
        ("-oProxyCommand=id", "begins with a hyphen"),
        ("ext::sh -c id", "white space"),
        ("ext::sh", "git helper program"),
        ("fd::17/foo", "git helper program"),
        ("file:///etc", "begins with file://"),
        ("/etc", "must begin with https://"),
        ("../repo", "must begin with https://"),
        ("git@github.com:user/repo.git", "must begin with https://"),
        ("ssh://-oProxyCommand=id/x", "begins with ssh://"),
        ("ssh://git@github.com/x", "begins with ssh://"),
        ("git://github.com/x", "begins with git://"),
        ("ftp://github.com/x", "begins with ftp://"),
        ("http://example.com/x", "begins with http://: only https://"),
        ("https://user:pass@example.com/x", "user name or password"),
        ("https://token@example.com/x", "user name or password"),
        ("https://@example.com/x", "user name or password"),
        ("https://example.com/x\n", "white space"),
        ("https://example.com/x\x1b[2J", "control character"),
        ("https://example.com/a b", "white space"),
        ("https://example.com/x?ref=main", "query"),
        ("https://example.com/x#main", "fragment"),
        ("https://example.com/x?", "query"),
        ("https://example.com/", "must name a repository"),
        ("https://example.com", "must name a repository"),
        ("https://example.com/$(id)", "must name a repository"),
        ("https://example.com/a;id", "must name a repository"),
        ("https://example.com/a/../b", "'..'"),
        ("https://example.com/--upload-pack=x", "leading hyphen"),
        ("https://example.com:99999/x", "invalid host or port"),
        ("https://example.com:0/x", "invalid port"),
        ("https://example.com:/x", "invalid port"),
        ("https://[::1/x", "invalid host or port"),
        ("https:///x", "no valid host"),
        ("https://-x.com/x", "no valid host"),
        ("https://exa%6dple.com/x", "no valid host"),
        ("https://example.com\\@evil.com/x", "%XX"),
        ("https://exämple.com/x", "%XX"),
        ("https://example.com/" + "x" * 3000, "longer than 2048"),
    ],
)
def test_a_dangerous_address_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(SourceRefused) as caught:
        check_url(url)
    assert reason in caught.value.message


def test_http_is_accepted_where_the_administrator_says_so() -> None:
    assert check_url("http://127.0.0.1:3000/x", allow_http=True).port == 3000


def test_a_refusal_never_repeats_a_password() -> None:
    with pytest.raises(SourceRefused) as caught:
        check_url("https://ada:s3cret@example.com/x")
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("branch", ["main", "feature/a-b_c", "v1.2.3", "release#7", "x+y", "a" * 255])
def test_an_ordinary_branch_is_accepted(branch: str) -> None:
    assert check_branch(branch) == branch


@pytest.mark.parametrize(
    ("branch", "reason"),
    [
        ("", "1 to 255"),
        ("a" * 256, "1 to 255"),
        ("--x", "hyphen"),
        ("--upload-pack=id", "hyphen"),
        ("a..b", "'..'"),
        ("a//b", "'//'"),
        ("$(id)", "may hold"),
        ("a;id", "may hold"),
        ("a b", "may hold"),
        ("a\nb", "may hold"),
        ("a\0b", "may hold"),
        ("a@{1}", "may hold"),
        ("a~1", "may hold"),
        ("a^", "may hold"),
        ("a:b", "may hold"),
        ("a\\b", "may hold"),
        ("refs/*", "may hold"),
        ("/a", "begin"),
        ("a/", "end"),
        ("a.", "end"),
        (".a", "begin"),
        ("a/.b", "begin"),
        ("a.lock", ".lock"),
        ("a.lock/b", ".lock"),
    ],
)
def test_a_dangerous_branch_is_refused_with_its_reason(branch: str, reason: str) -> None:
    with pytest.raises(SourceRefused) as caught:
        check_branch(branch)
    assert reason in caught.value.message
