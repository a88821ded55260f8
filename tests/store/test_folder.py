"""Files of a run's folder appear whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qd.store.folder import write_atomically


def test_several_that_write_to_one_path_leave_what_one_of_them_wrote(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    contents = [bytes([letter]) * size for letter, size in zip(b"abcd", (3_000_000, 7, 400_000, 0), strict=True)]

    def write(number: int) -> bytes:
        write_atomically(path, contents[number % len(contents)])
        return path.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(write, range(80))) <= {*contents}
    assert [one.name for one in tmp_path.iterdir()] == ["map.png"]


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".run.yaml.tmp").write_text("half of something long")
    write_atomically(tmp_path / "run.yaml", b"all")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"run.yaml": b"all"}
