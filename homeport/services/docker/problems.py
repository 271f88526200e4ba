"""What can go wrong with the engine and its images."""

from __future__ import annotations

from homeport.kit.problems import Problem


class EngineUnavailable(Problem):
    """No Docker Engine answers, or it does not answer in time."""

    code = "engine_unavailable"
    status = 503


class EngineRefused(Problem):
    """The engine said no; the message is its own, without secrets. `engine_status` is its HTTP status."""

    code = "engine_refused"
    status = 502

    def __init__(self, message: str, *, engine_status: int = 500) -> None:
        super().__init__(message)
        self.engine_status = engine_status


class ImageUnavailable(Problem):
    """An image that no registry hands out and that is not here either."""

    code = "image_unavailable"
    status = 502


class NotEnoughSpace(Problem):
    """The engine's disk lacks bytes or inodes for a build."""

    code = "not_enough_space"
    status = 507
