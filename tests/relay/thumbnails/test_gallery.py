"""What is held, and what goes first."""

from __future__ import annotations

from homeport.relay.thumbnails.gallery import Gallery
from homeport.relay.thumbnails.pictures import Picture


def of_size(size: int) -> Picture:
    return Picture("image/png", bytes(size))


def test_a_picture_belongs_to_where_it_is_from() -> None:
    gallery = Gallery()
    gallery.hang("a", "https://one.example/", of_size(10))
    assert gallery.find("a", "https://one.example/") == of_size(10)
    assert gallery.find("a", "") is None
    assert gallery.find("b", "https://one.example/") is None


def test_the_one_asked_for_least_goes_first() -> None:
    gallery = Gallery(most_pictures=2)
    for key in ("a", "b"):
        gallery.hang(key, "", of_size(1))
    gallery.find("a", "")
    gallery.hang("c", "", of_size(1))
    assert [key for key in "abc" if gallery.holds(key, "")] == ["a", "c"]


def test_bytes_are_bounded_and_given_back() -> None:
    gallery = Gallery(most_bytes=100)
    gallery.hang("a", "", of_size(60))
    gallery.hang("b", "", of_size(60))
    assert (len(gallery), gallery.size) == (1, 60)
    gallery.hang("b", "", of_size(30))
    assert gallery.size == 30
    gallery.take_down("b")
    gallery.take_down("b")
    assert (len(gallery), gallery.size) == (0, 0)
    gallery.hang("c", "", of_size(101))
    assert len(gallery) == 0
