import gzip
import struct

import numpy as np
import pytest

from evaluators.data.idx import read_idx

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 3, 4) + ARRAY.tobytes()


def test_reads_plain_and_gzipped_files(tmp_path):
    (tmp_path / "plain").write_bytes(CONTENT)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(CONTENT))
    for name in ("plain", "packed.gz"):
        np.testing.assert_array_equal(read_idx(tmp_path / name), ARRAY)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.gz", gzip.compress(CONTENT, mtime=0)[:-12], "expected a whole gzip file"),
        ("a.gz", b"<html>not found</html>", "expected a whole gzip file, but Not a gzipped file"),
        ("a.gz", gzip.compress(CONTENT, mtime=0)[:12] + b"\xff" * 30, "expected a whole gzip file"),
        ("a", b"", "expected an IDX file of bytes, which starts with 00 00 08, but it starts with nothing"),
        ("a", b"\x00\x00\x0d" + CONTENT[3:], "but it starts with 00 00 0d 03"),
        ("a", CONTENT[:9], "ends within its header, after 9 bytes"),
        ("a", CONTENT[:-1], "promises 2 x 3 x 4 = 24 bytes, but 23 follow"),
        ("a", CONTENT + b"\0", "promises 2 x 3 x 4 = 24 bytes, but 25 follow"),
    ],
)
def test_refuses_damaged_files(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
