"""Files of `Moments.save` where rows are read: the same moments, or an error that says why not."""

import numpy as np
import pandas as pd
import pytest

from linscape.errors import InvalidData, InvalidMoments, UnreadableFile
from linscape.moments import Moments, read_moments

rng = np.random.default_rng(3)
frame = pd.DataFrame(rng.standard_normal((30, 4)) + 5.0, columns=["a", "b", "c", "y"])


@pytest.fixture
def saved(tmp_path):
    """Return the moments of all rows, read from a table, and the file that holds them."""
    frame.to_csv(tmp_path / "t.csv", index=False)
    moments = read_moments(tmp_path / "t.csv", target="y")
    moments.save(tmp_path / "m.npz")
    return moments, tmp_path / "m.npz"


def same(found, expected, rtol=0.0):
    for name in ("A", "C", "yy", "mean_x", "mean_y", "covariance_x"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=rtol)
    assert (found.n, found.names, found.targets) == (expected.n, expected.names, expected.targets)


def test_saved_moments_are_read_bit_for_bit(saved):
    moments, file = saved
    for target in (None, "y", ["y"]):
        same(read_moments(file, target=target), moments)


def test_saved_parts_are_added(saved, tmp_path):
    moments, _ = saved
    for k, rows in enumerate((frame[:11], frame[11:])):
        rows.to_csv(tmp_path / "part.csv", index=False)
        read_moments(tmp_path / "part.csv", target="y").save(tmp_path / f"part{k}.npz")
    same(read_moments(f"{tmp_path}/part*.npz", target="y"), moments, rtol=1e-12)


def test_moments_without_names_take_one_name_or_as_many_as_targets(tmp_path):
    X, Y = frame[["a", "b"]].to_numpy(), frame[["c", "y"]].to_numpy()
    Moments.from_arrays(X, Y).save(tmp_path / "m.npz")
    for target in (None, "Y", ["c", "y"]):
        same(read_moments(tmp_path / "m.npz", target=target), Moments.from_arrays(X, Y))
    with pytest.raises(InvalidData, match=r"target to be one name or 2 as .* got 'c', 'y', 'z'"):
        read_moments(tmp_path / "m.npz", target=["c", "y", "z"])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"target": "a"}, r"expected target to be 'y' .*m.npz, got 'a'; .*read the rows again"),
        ({"target": ["y", "a"]}, "got 'y', 'a'"),
        ({"target": "y", "drop": "a"}, "holds saved moments, got weights or columns"),
        ({"target": "y", "sample_weight": "a"}, "holds saved moments"),
        ({"target": "y", "one_hot": True}, "holds saved moments"),
    ],
)
def test_what_is_not_in_the_file_is_refused(saved, options, part):
    with pytest.raises(InvalidData, match=part):
        read_moments(saved[1], **options)


def test_rows_and_moments_are_not_mixed(saved, tmp_path):
    np.savez(tmp_path / "rows.npz", X=frame[["a", "b", "c"]], y=frame["y"])
    for other in ("t.csv", "rows.npz"):
        for files in ([saved[1], tmp_path / other], [tmp_path / other, saved[1]]):
            with pytest.raises(InvalidData, match=rf"got .*m.npz with .*{other}; .*add the"):
                read_moments(files, target="y")


def test_moments_of_other_columns_are_not_added(saved, tmp_path):
    Moments([[1.0]], [1.0], 1.0, [0.5], 0.5, 9).save(tmp_path / "other.npz")
    with pytest.raises(InvalidMoments):
        read_moments([saved[1], tmp_path / "other.npz"])


def test_arrays_with_the_names_of_the_format_are_rows(tmp_path):
    X, y = frame[["a", "b"]].to_numpy(), frame["y"].to_numpy()
    np.savez(tmp_path / "m.npz", X=X, y=y, header=y, shift=y, scale=y)
    same(read_moments(tmp_path / "m.npz"), Moments.from_arrays(X, y))


def test_a_table_is_no_file_of_moments_and_numpys_advice_is_not_repeated(saved):
    with pytest.raises(UnreadableFile, match=r"no .npz file.*read_moments") as caught:
        Moments.load(saved[1].with_name("t.csv"))
    assert "pickle" not in str(caught.value)
