from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluators.data import Part, Split, StoredRows
from evaluators.data import pictures as pictures_module
from evaluators.data.image_folder import ImageFolder
from evaluators.data.pictures import _image
from qd.testing.data import DataConformance
from search_spaces import Task
from search_spaces.task import Classes, Values
from search_spaces.task import Image as ImageInput

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def draw(path: Path, size: tuple[int, int] = (6, 5), mode: str = "RGB") -> Path:
    """A picture (height, width) of random pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 255, (*size, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def folder_of(parent: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 12, ending: str = "png") -> Path:
    for name in classes:
        for number in range(count):
            draw(parent / name / f"{number}.{ending}")
    return parent


def listing(parent: Path, header: str = "file,score", count: int = 30) -> Path:
    for number in range(count):
        draw(parent / f"all/{number}.jpg")
    (parent / "list.csv").write_text(
        "\n".join([header, *(f"all/{number}.jpg,{number / 3}" for number in range(count))]) + "\n"
    )
    return parent / "list.csv"


class TestFolders(DataConformance):
    @pytest.fixture
    def data(self, tmp_path: Path) -> ImageFolder:
        return ImageFolder(folder_of(tmp_path / "pets"))


class TestParts(DataConformance):
    @pytest.fixture
    def data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageFolder:
        monkeypatch.setattr(pictures_module, "IN_MEMORY", 100)  # in a file of the cache
        for part in ("train", "valid", "test"):
            folder_of(tmp_path / "pets" / part, ("1", "2", "10"), 4)
        data = ImageFolder(tmp_path / "pets")
        assert isinstance(data.read().inputs, StoredRows)
        assert data.class_names == ("1", "2", "10")
        return data


class TestValuesOfATable(DataConformance):
    @pytest.fixture
    def data(self, tmp_path: Path) -> ImageFolder:
        data = ImageFolder(listing(tmp_path), size=(4, 7), channels=1)
        assert data.task == Task(ImageInput(1, 4, 7), Values(1))
        return data


def test_many_pictures_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path):
    path = folder_of(tmp_path / "pets")
    directly = ImageFolder(path).read().inputs
    monkeypatch.setattr(pictures_module, "MANY", 5)
    kept = ImageFolder(str(path)).read().inputs
    np.testing.assert_array_equal(kept, directly)
    files = sorted(one.name for one in (cache / "qdnas/images").glob("*/*"))
    assert files == ["found.json", "rows"]
    monkeypatch.setattr(pictures_module, "_decode", None)  # it would fail
    again = ImageFolder(path, split=Split("random")).open().examples.inputs
    np.testing.assert_array_equal(again, directly)


def test_pictures_of_every_kind_are_read(tmp_path: Path):
    path = folder_of(tmp_path / "pets")
    draw(path / "cat/grey.bmp", mode="L")
    draw(path / "cat/palette.gif", mode="P")
    draw(path / "dog/ink.tif", mode="CMYK")
    draw(path / "dog/inside/photo.JPEG", (24, 10))
    Image.new("RGBA", (5, 6), (0, 0, 0, 0)).save(path / "dog/clear.webp")
    Image.fromarray(np.full((6, 5), 65535, np.uint16)).save(path / "dog/deep.png")
    (path / "dog/notes.txt").write_text("no picture")
    (path / "dog/.hidden.png").write_text("no picture")
    data = ImageFolder(path)
    data.check()
    images = data.read().inputs[:]
    assert images.shape == (30, 3, 6, 5)
    assert data.task == Task(ImageInput(3, 6, 5), Classes(2))
    said = "\n".join(data.describe())
    for what in (
        "30 pictures, 3 channels of 6 x 5 pixels",
        r"1 pictures are resized (of 24 x 10, …), 1 of them to another ratio",
        "2 greyscale pictures are read as RGB",
        "1 pictures of 16 bits are read as 8 bits",
        "1 pictures with transparency are laid on white",
        "no pictures are left out: 1 .txt",
    ):
        assert what in said
    assert sum(int(image.min() == 255) for image in images) == 2  # the clear one and the deep one


def test_pictures_stand_upright(tmp_path: Path):
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(np.eye(4, 6, dtype=np.uint8) * 255).save(tmp_path / "turned.png", exif=tags)
    with Image.open(tmp_path / "turned.png") as picture:
        assert _image(picture, (6, 4), 1).shape == (1, 6, 4)
        np.testing.assert_array_equal(_image(picture, (6, 4), 1)[0], np.rot90(np.eye(4, 6) * 255, -1))


def test_a_table_says_parts_and_classes(tmp_path: Path):
    path = listing(tmp_path)
    lines = [f"all/{number}.jpg;{'ab'[number % 2]};{('train', 'test')[number // 20]}" for number in range(30)]
    path.write_text("\n".join(["image;kind;use", *lines]))
    data = ImageFolder(path, split=Split("column", "use"))
    data.check()
    assert data.class_names == ("a", "b")
    parts = data.read().parts
    assert parts is not None and (parts == Part.TEST).sum() == 10
    with pytest.raises(ValueError, match=r"target: say which column of .*: kind, use"):
        ImageFolder(path).check()


def test_a_few_damaged_pictures_are_left_out_where_somebody_says_so(tmp_path: Path):
    path = folder_of(tmp_path / "pets", count=60)
    whole = (path / "cat/7.png").read_bytes()
    (path / "cat/7.png").write_bytes(whole[:-40])
    with pytest.raises(ValueError, match=r"1 of 120 pictures cannot be read \(cat/7.png: .*say skip_damaged: true"):
        ImageFolder(path).check()
    data = ImageFolder(path, skip_damaged=True)
    data.check()
    assert len(data.read()) == 119 and (data.read().targets == 0).sum() == 59
    assert "1 damaged pictures are left out: cat/7.png" in "\n".join(data.describe())
    for number in (8, 9):
        (path / f"dog/{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(ValueError, match=r"3 of 120 pictures .*skip_damaged leaves out at most 1%"):
        ImageFolder(path, skip_damaged=True, channels=3).check()


def test_no_picture_is_given_to_another_program(tmp_path: Path):
    path = folder_of(tmp_path / "pets")
    (path / "cat/0.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 6\n%%EndComments\nshowpage\n")
    with pytest.raises(ValueError, match=r"cat/0\.png: cannot identify"):
        ImageFolder(path).check()


def empty(path: Path) -> Path:
    path.mkdir()
    return path


def one_empty_class(path: Path) -> Path:
    (folder_of(path) / "emu").mkdir()
    return path


def loose(path: Path) -> Path:
    draw(path / "a.png")
    return path


def mixed(path: Path) -> Path:
    return folder_of(path / "train").parent / folder_of(path / "cat", ("a",)).parent.relative_to(path)


def large(path: Path) -> Path:
    for name in ("a", "b"):
        draw(path / name / "1.png", (200, 300))
    return path


def unseen(path: Path) -> Path:
    folder_of(path / "train")
    folder_of(path / "test", ("cat", "emu"), 3)
    return path


def table(text: str):
    def make(path: Path) -> Path:
        listing(path)
        (path / "list.csv").write_text(text)
        return path / "list.csv"

    return make


@pytest.mark.parametrize(
    ("make", "keys", "message"),
    [
        (empty, {}, "expected a sub-folder of pictures for each class, got no picture"),
        (loose, {}, "got 1 pictures in no sub-folder"),
        (one_empty_class, {}, r"1 classes have no picture \(emu\)"),
        (lambda path: folder_of(path, ("cat",)), {}, "expected two classes at least, got cat alone"),
        (mixed, {}, "expected train, validation and test alone, .*got also cat"),
        (unseen, {}, "no example of a class is left for training .*emu: 0 for training"),
        (large, {}, "most pictures have 200 x 300 pixels.*say size: 64"),
        (lambda path: path, {}, "there is no such file or folder"),
        (lambda path: draw(path / "1.png"), {}, "expected a folder, or a table of paths"),
        (folder_of, {"target": "x"}, "target: goes with a table of paths"),
        (table("file,kind\nall/1.jpg,a\nall/1.jpg,b\n"), {}, "1 of 1 paths in file stand there more than once"),
        (table("file,kind\nall/1.jpg,a\nall/x.jpg,b\n"), {}, "1 of 2 paths in file are no files below .*all/x.jpg"),
        (table("file,kind\nall/1.jpg,a\nall/2.jpg,a\n"), {}, "'a' in all 2 rows"),
        (table("file,kind\nall/1.jpg,a\n"), {"target": "kin"}, "has no column 'kin'; did you mean 'kind'"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_on_is_refused(tmp_path: Path, make, keys, message):
    path = make(tmp_path / "given")
    with pytest.raises(ValueError, match=message):
        ImageFolder(path, **keys).check()
    assert not (tmp_path / "cache").exists()
