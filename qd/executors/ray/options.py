"""What the run file says of the Ray executor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ByteSize, Field, ValidationError, field_validator

from ...config import Model
from ...errors import UsageError, suggest


class RayConfig(Model):
    """Workers on a Ray cluster, one actor each.

    Args:
        address: `local` starts a cluster on this machine and ends it with the search; `auto` and `HOST:PORT` (from a
            machine of that cluster) attach to one that runs.
        workers: this many; null: as many as the cluster has room for, more when nodes join.
        cpus: logical cores for each worker; fractions are allowed.
        gpus: GPUs for each worker: a fraction below 1, or a whole number.
        memory: for each worker, in bytes or as "2GB": what Ray sets aside for it, and what a candidate may take.
        chunk: this many candidates are sent at once. Null: `search.chunk`, or more where evaluations are so quick that
            sending costs more than they do. Under `order: id` it is always `search.chunk`.
        timeout_seconds: for each candidate, from when its evaluation begins; null: none.
        max_attempts: a candidate that takes its worker down this many times is lost, or timed out.
    """

    address: str = "local"
    workers: Annotated[int, Field(ge=1, le=100_000)] | None = None
    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] = 0.0
    memory: Annotated[ByteSize, Field(gt=0)] | None = None
    chunk: Annotated[int, Field(ge=1, le=100_000)] | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    max_attempts: Annotated[int, Field(ge=1)] = 3

    @field_validator("address")
    @classmethod
    def _known_form(cls, value: str) -> str:
        if value not in ("local", "auto") and not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}", value):
            raise ValueError(f"expected local, auto or HOST:PORT, got {value!r}")
        return value

    @field_validator("gpus")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError(f"expected a fraction below 1 or a whole number, got {value:g}")
        return value


def ray_config(keys: Mapping[str, Any], where: str) -> RayConfig:
    """Check the keys beside `kind`.

    Args:
        keys: the keys.
        where: the run file and its key, for messages.

    Raises:
        UsageError: one line for every offending key.
    """
    try:
        return RayConfig.model_validate(dict(keys))
    except ValidationError as error:
        lines = dict.fromkeys(f"{where}.{_explain(item)}" for item in error.errors())
        raise UsageError("\n".join(lines)) from None


def _explain(item: Any) -> str:
    key, message = str(item["loc"][0]), item["msg"]
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key{suggest(str(item['loc'][-1]), list(RayConfig.model_fields))}"
    if item["type"] == "value_error":
        return f"{key}: {message.removeprefix('Value error, ')}"
    return f"{key}: {message[0].lower()}{message[1:]}, got {item['input']!r}"
