"""The user's own data: what is read, and the one line that says why something cannot be."""

import pickle
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest

from backproof.data.dataset import DataError
from backproof.data.file import file

GOOD = "a,b,y\n1,10,0\n2,20,1\n3,30,0\n4,40,1\n5,50,0\n6,60,1\n"


def read(path, **parameters):
    return file(path=str(path), **parameters).draw(np.random.default_rng(0))


@pytest.fixture
def csv(tmp_path):
    def write(text: str, name: str = "my.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def npz(tmp_path):
    def write(**arrays):
        path = tmp_path / "my.npz"
        np.savez(path, **arrays)
        return path

    return write


def rows(data):
    """All rows, of all parts, as (inputs…, targets…), sorted."""
    return sorted(tuple(r) for x, t in parts(data) for r in np.hstack([x, t]).tolist())


def parts(data):
    """Inputs and targets of the training, the validation and the test part."""
    yield data.inputs, data.targets
    yield data.validation_inputs, data.validation_targets
    yield data.test_inputs, data.test_targets


def test_a_csv_of_labels(csv):
    data = read(csv(GOOD), standardise=False)
    assert rows(data) == [(i, 10.0 * i, i % 2, 1 - i % 2) for i in range(1, 7)]


def test_the_target_column_may_be_named(csv):
    data = read(csv("y,a\n7,1\n7,2\n9,3\n9,4\n"), target="y", standardise=False)
    assert rows(data) == [(1, 1, 0), (2, 1, 0), (3, 0, 1), (4, 0, 1)]


def test_values_are_taken_as_they_are(csv):
    data = read(csv("a,y\n1,0.5\n2,-3\n3,0.25\n4,8\n"), kind="values", standardise=False)
    assert rows(data) == [(1, 0.5), (2, -3), (3, 0.25), (4, 8)]


def test_standardised_by_the_training_part_and_a_constant_column_stays_finite(csv):
    text = "a,c,y\n" + "".join(f"{i},5,{i % 2}\n" for i in range(20))
    data = read(csv(text))
    assert data.inputs[:, 0].mean() == pytest.approx(0)
    assert data.inputs[:, 0].std() == pytest.approx(1)
    assert (data.inputs[:, 1] == 0).all()
    raw = read(csv(text), standardise=False)
    expected = (raw.test_inputs[:, 0] - raw.inputs[:, 0].mean()) / raw.inputs[:, 0].std()
    assert data.test_inputs[:, 0] == pytest.approx(expected)


def test_a_changed_file_is_read_again(csv):
    import os

    path = csv(GOOD)
    before = read(path, standardise=False)
    path.write_text(GOOD.replace("60", "99"))
    os.utime(path, ns=(1, 1))
    assert rows(read(path, standardise=False)) != rows(before)


@pytest.mark.parametrize("dtype", [float, np.float32, int, bool])
def test_an_npz_of_labels(npz, dtype):
    labels = np.array([0, 1, 1, 0, 1], dtype)
    data = read(npz(X=np.arange(10.0).reshape(5, 2), y=labels), standardise=False)
    assert rows(data) == [(2 * i, 2 * i + 1, float(not t), float(t)) for i, t in enumerate(labels)]


def test_an_npz_of_several_values(npz):
    y = np.arange(8.0).reshape(4, 2)
    data = read(npz(X=np.arange(4.0)[:, None], y=y), kind="values", standardise=False)
    assert rows(data) == [(i, 2 * i, 2 * i + 1) for i in range(4)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a readable CSV"),
        ("1,0\n2,1\n3,0\n4,1\n5,0\n", "line 1 must be a header"),
        ("a,y\n", "at least 4 rows and 1 feature"),
        ("a,y\n1,0\n2,1\n3,0\n", "at least 4 rows and 1 feature"),
        ("y\n0\n1\n0\n1\n", "at least 4 rows and 1 feature"),
        ("a,y\n1,0\ntwo,1\n3,0\n4,1\n", "column 'a', line 3: must be a finite number; not 'two'"),
        ("a,y\n1,0\n2,1\n3,cat\n4,1\n", "column 'y', line 4: must be a finite number; not 'cat'"),
        ("a,y\n1,0\n,1\n3,0\n4,1\n", "column 'a', line 3: must be a finite number; not .*nan"),
        ("a,y\n1,0\n2,1\n3,0\ninf,1\n", "column 'a', line 5: must be a finite number; not .*inf"),
        ("a,y\n1,0\n2\n3,0\n4,1\n", "column 'y', line 3: must be a finite number"),
        ("a,y\n1,0\n2,1,5\n3,0\n4,1\n", "not a readable CSV .*line 3"),
        ("a,y\n1,2,0\n2,3,1\n3,4,0\n4,5,1\n", "not a readable CSV .*header"),
        ("a,y\n0,2,0\n1,3,1\n2,4,0\n3,5,1\n", "not a readable CSV .*header"),
        ("a,y\n1,0.1\n2,0.2\n3,0.3\n4,0.4\n", "4 different labels in 4 rows.*data.kind=values"),
        ("a,y\n1,1\n2,1\n3,1\n4,1\n", "1 different labels"),
    ],
)
def test_a_csv_that_cannot_be_used(csv, text, says):
    path = csv(text)
    with pytest.raises(DataError, match=says) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_csv_that_is_no_text(tmp_path):
    path = tmp_path / "my.csv"
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match="not a readable CSV"):
        read(path)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({}, "needs arrays X and y; has none"),
        ({"X": np.ones((5, 2))}, "needs arrays X and y; has X"),
        ({"X": np.ones(5), "y": np.ones(5)}, r"X must be \(N, features\)"),
        ({"X": np.ones((5, 2)), "y": np.ones((5, 1, 1))}, r"y \(N,\) or \(N, m\)"),
        ({"X": np.ones((5, 2)), "y": np.ones(4)}, "X has 5 rows, y has 4"),
        ({"X": np.ones((5, 0)), "y": np.ones(5)}, "at least 4 rows and 1 feature"),
        ({"X": np.full((5, 2), np.nan), "y": np.ones(5)}, "X is not a finite number in row 0"),
        ({"X": np.ones((4, 2)), "y": np.array([0, 1, np.inf, 0])}, "y is not a finite number in row 2"),
        ({"X": np.full((5, 2), "a"), "y": np.ones(5)}, "X must hold numbers"),
        ({"X": np.ones((5, 2)), "y": np.ones(5, complex)}, "y must hold numbers; holds complex128"),
        ({"X": np.ones((5, 2)), "y": np.eye(5)}, "y has 5 columns; use data.kind=values"),
    ],
)
def test_an_npz_that_cannot_be_used(npz, arrays, says):
    with pytest.raises(DataError, match=says):
        read(npz(**arrays))


def test_a_truncated_npz(npz):
    path = npz(X=np.ones((50, 2)), y=np.ones(50))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="not a readable NPZ"):
        read(path)


def test_an_npz_whose_compressed_bytes_are_damaged(tmp_path):
    path = tmp_path / "my.npz"
    np.savez_compressed(path, X=np.random.default_rng(0).random((50, 2)), y=np.ones(50))
    content = bytearray(path.read_bytes())
    content[100:200] = bytes(100)
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="not a readable NPZ"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"no archive at all"])
def test_an_npz_that_is_no_archive(tmp_path, content):
    path = tmp_path / "my.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a readable NPZ"):
        read(path)


def test_a_single_array_in_the_place_of_an_npz(tmp_path):
    with (tmp_path / "my.npz").open("wb") as f:
        np.save(f, np.ones((5, 2)))
    with pytest.raises(DataError, match="a single array"):
        read(tmp_path / "my.npz")


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (type(self.mark).touch, (self.mark,))


def test_nothing_in_an_npz_is_unpickled(tmp_path):
    mark = tmp_path / "mark"
    objects = np.empty(5, object)
    objects[:] = [Trap(mark)] * 5
    np.savez(tmp_path / "my.npz", X=np.ones((5, 2)), y=objects)
    with pytest.raises(DataError, match=r"not a readable NPZ .*pickle"):
        read(tmp_path / "my.npz")
    assert not mark.exists()
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists(), "the trap itself must work, or this test shows nothing"


def test_a_whole_pickle_named_npz_is_not_unpickled(tmp_path):
    mark = tmp_path / "mark"
    (tmp_path / "my.npz").write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(DataError, match="not a readable NPZ"):
        read(tmp_path / "my.npz")
    assert not mark.exists()


def test_an_archive_of_text_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "my.npz", "w") as archive:
        archive.writestr("X", "1 2 3")
        archive.writestr("y", "1 2 3")
    with pytest.raises(DataError, match=r"my\.npz: "):
        read(tmp_path / "my.npz")


@pytest.mark.parametrize(
    ("name", "parameters", "error", "says"),
    [
        ("none.csv", {}, DataError, r"none\.csv: no such file"),
        ("my.txt", {}, DataError, r"must be a \.csv or an \.npz"),
        ("my.csv", {"target": "z"}, DataError, "data.target=z: must be one of a, b, y"),
        ("my.csv", {"kind": "words"}, ValueError, "kind must be one of labels, values; not words"),
        ("my.csv", {"test_share": 1.5}, ValueError, "test_share must be between 0 and 1; not 1.5"),
    ],
)
def test_arguments_that_are_wrong(csv, tmp_path, name, parameters, error, says):
    csv(GOOD)
    csv(GOOD, "my.txt")
    with pytest.raises(error, match=says):
        read(tmp_path / name, **parameters)


def test_a_path_is_needed():
    with pytest.raises(DataError, match=r"data\.path is needed"):
        file().draw(np.random.default_rng(0))


# --- files made to do harm: refused before anything is allocated for them


def npy(shape, data=b"", version=(1, 0)):
    """An array's bytes whose header claims a shape, whatever data follow."""
    header = repr({"descr": "<f8", "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes(version) + len(header).to_bytes(2, "little") + header + data


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return path


@pytest.fixture
def little_memory():
    """An address space of two gigabytes more than is in use."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("x", "says"),
    [
        (npy((10**13, 4)), "X must hold at most 33,554,432 numbers"),
        (npy((10**6, 30), bytes(80)), "X claims more numbers than it holds"),
        (npy((10**200, 10**200)), "X must hold at most"),
        (npy((8, 1), bytes(64), version=(9, 0)), "not a readable NPZ"),
        (npy((8, 1, "a"), bytes(64)), "not a readable NPZ"),
        (npy((1 << 26, 1), bytes(1 << 29)), "X must hold at most 33,554,432 numbers"),
    ],
    ids=["ten trillion rows", "more than there is", "beyond 64 bits", "unknown format", "no shape", "a bomb"],
)
def test_an_npz_that_claims_too_much(tmp_path, x, says):
    path = archive(tmp_path / "my.npz", X=x, y=npy((8,), bytes(64)))
    with pytest.raises(DataError) as caught:
        read(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("columns", [10_001, 1_000_000])
def test_a_csv_of_too_many_columns(csv, columns):
    row = ",".join(["1"] * columns)
    path = csv("a" + ",a" * (columns - 1) + "\n" + f"{row}\n" * 4)
    with pytest.raises(DataError, match="line 1 must name at most 10,000 columns"):
        read(path)


def test_a_file_that_is_too_large(tmp_path):
    path = tmp_path / "my.csv"
    with path.open("wb") as sparse:
        sparse.truncate(1 << 30)
    with pytest.raises(DataError, match="must have at most 256 MB; has 1024"):
        read(path)


def test_more_classes_than_a_table_holds(csv):
    path = csv("a,y\n" + "".join(f"1,{i // 2}\n" for i in range(20_000)))
    with pytest.raises(DataError, match="10000 classes of 20000 rows are too many"):
        read(path)
