"""Fetches Fashion-MNIST: Debian's package where apt is there, else the official files."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import sys
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path

from .idx_images import FILES
from .packages import FetchError, run_client

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
OFFICIAL_ADDRESS = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
PACKAGE = "dataset-fashion-mnist"

SHA256 = dict(
    zip(
        FILES,
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        strict=True,
    )
)
"""Of the unpacked files. Debian packs them without gzip's name and date, so the official MD5 sums of the packed files
do not hold for its package; the bytes inside are the same."""


def fetch(target: Path) -> list[str]:
    """Fetch the files into a folder; returns why each way failed, and nothing where one worked."""
    reasons: list[str] = []
    ways: tuple[Callable[[Path], Path], ...] = (from_debian, from_official_address)
    target.parent.mkdir(parents=True, exist_ok=True)
    for way in ways:
        # Beside the target, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(prefix=".fashion_mnist-", dir=target.parent) as work:
            try:
                move_checked(way(Path(work)), target)
                return []
            except FetchError as error:
                reasons.append(str(error))
                print(f"That did not work: {error}", file=sys.stderr)
    return reasons


def from_debian(work: Path) -> Path:
    """Download and unpack Debian's package without root; returns the folder with the files."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise FetchError("apt-get and dpkg-deb are not both there")
    print(f"Fetching Fashion-MNIST: Debian's package {PACKAGE}, 31 MB", file=sys.stderr)
    try:
        run_client(["apt-get", "download", PACKAGE], work)
    except FetchError:
        # No package lists, or outdated ones: fetch lists of our own, which needs no root.
        print("apt's package lists do not lead to it; fetching fresh lists first, 10 to 80 MB", file=sys.stderr)
        lists, cache = work / "lists", work / "cache"
        (lists / "partial").mkdir(parents=True)
        (cache / "archives" / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}"]
        run_client(["apt-get", *own, "update"], work)
        run_client(["apt-get", *own, "download", PACKAGE], work)
    package = next(work.glob(f"{PACKAGE}_*.deb"))
    run_client(["dpkg-deb", "-x", str(package), str(work / "unpacked")], work)
    return work / "unpacked" / DEBIAN_FOLDER.relative_to("/")


def from_official_address(work: Path) -> Path:
    """Download the official files; returns the folder with them."""
    print(f"Fetching Fashion-MNIST: the official files, 31 MB, from {OFFICIAL_ADDRESS}", file=sys.stderr)
    for name in FILES:
        try:
            with urllib.request.urlopen(f"{OFFICIAL_ADDRESS}/{name}.gz", timeout=60) as answer:
                (work / f"{name}.gz").write_bytes(answer.read())
        except OSError as error:
            raise FetchError(f"{OFFICIAL_ADDRESS}/{name}.gz: {error}") from error
    return work


def move_checked(source: Path, target: Path) -> None:
    """Move the four gzipped files to the target folder, each by a rename, once all their checksums are right."""
    for name in FILES:
        path = source / f"{name}.gz"
        try:
            digest = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
        except (OSError, EOFError, zlib.error) as error:
            raise FetchError(f"{path.name}: {error}") from error
        if digest != SHA256[name]:
            raise FetchError(f"{path.name}: expected content with SHA-256 {SHA256[name]}, got {digest}")
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (source / f"{name}.gz").replace(target / f"{name}.gz")
