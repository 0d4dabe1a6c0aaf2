import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from drawn_backbones import state_dict_file, tensor_opcodes

from shelfwise.backbones.cards import packaged_cards
from shelfwise.backbones.graphs import weights_file
from shelfwise.backbones.weights import read_state_dict
from shelfwise.errors import BackboneError

VALUES = np.arange(24, dtype="<f4")


def read(folder: Path, content: bytes) -> dict[str, np.ndarray]:
    path = folder / "weights.pth"
    path.write_bytes(content)
    return dict(read_state_dict(path, hashlib.sha256(content).hexdigest()))


def test_tensors_are_read_by_their_strides_and_offsets_not_in_storage_order(tmp_path: Path) -> None:
    content = state_dict_file(
        {
            "permuted": tensor_opcodes("0", "FloatStorage", 0, (2, 3, 4), (1, 2, 6)),
            "plain": tensor_opcodes("0", "FloatStorage", 4, (3,), (1,)),
            "count": tensor_opcodes("1", "LongStorage", 0, (), ()),
        },
        {"0": VALUES, "1": np.array([7], "<i8")},
    )
    state = read(tmp_path, content)
    assert list(state) == ["permuted", "plain", "count"]
    np.testing.assert_array_equal(state["permuted"], VALUES.reshape(4, 3, 2).T)
    np.testing.assert_array_equal(state["plain"], [4, 5, 6])
    assert state["count"].shape == () and state["count"] == 7


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (25,), (1,)),
        (1, (24,), (1,)),
        (24, (1,), (1,)),
        (0, (2, 3), (24, 1)),
        (30, (), ()),
        (-2, (2,), (1,)),
        (8, (3,), (-1,)),
    ],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    content = state_dict_file({"w": tensor_opcodes("0", "FloatStorage", offset, shape, strides)}, {"0": VALUES})
    with pytest.raises(BackboneError, match="beyond its storage"):
        read(tmp_path, content)


def test_another_sha256_than_the_cards_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    card = packaged_cards()["lite0"]
    content = bytearray(weights_file(card).read_bytes())
    content[-1] ^= 1
    path = tmp_path / "changed.pth"
    path.write_bytes(content)
    with pytest.raises(BackboneError, match=f"the card pins {card.sha256}; reinstall the weights package"):
        read_state_dict(path, card.sha256)
    path.write_bytes(content[:-1000])
    with pytest.raises(BackboneError, match="the card pins"):
        read_state_dict(path, card.sha256)


@pytest.mark.parametrize("module", ["os", "posix", "builtins", "torch", "torch._utils", "collections"])
@pytest.mark.parametrize("part", ["header", "state", "keys"])
def test_a_pickle_that_names_anything_but_tensors_is_refused_and_runs_nothing(
    tmp_path: Path, module: str, part: str
) -> None:
    canary = tmp_path / "canary"
    function = {"builtins": "exec", "collections": "abc"}.get(module, "system")
    touch = f"import pathlib; pathlib.Path({str(canary)!r}).touch()"
    argument = touch if module == "builtins" else f"touch {canary}"
    evil = f"c{module}\n{function}\n".encode() + b"(" + pickle.dumps(argument, 2)[2:-1] + b"tR."
    if module in ("os", "posix", "builtins"):  # the plant works: an ordinary unpickler runs it
        pickle.loads(evil)
        canary.unlink()
    tensors = {"w": tensor_opcodes("0", "FloatStorage", 0, (24,), (1,))}
    content = state_dict_file(tensors, {"0": VALUES}, **{part: evil})
    with pytest.raises(BackboneError, match=f"asks for {module}.{function}, which is no part of a state dict"):
        read(tmp_path, content)
    assert not canary.exists()


def test_files_that_end_early_or_are_something_else_are_refused(tmp_path: Path) -> None:
    tensors = {"w": tensor_opcodes("0", "FloatStorage", 0, (24,), (1,))}
    whole = state_dict_file(tensors, {"0": VALUES})
    np.testing.assert_array_equal(read(tmp_path, whole)["w"], VALUES)
    for end in range(len(whole)):
        with pytest.raises(BackboneError):
            read(tmp_path, whole[:end])
    strange = [
        b"", b"PK\x03\x04", b"\x80\x02}.", whole[1:], pickle.dumps("hello", 2) * 4,
        state_dict_file(tensors, {"0": VALUES}, state=pickle.dumps({"w": 1}, 2)),
        state_dict_file(tensors, {"0": VALUES}, keys=pickle.dumps(["9"], 2)),
    ]  # fmt: skip
    for content in strange:
        with pytest.raises(BackboneError):
            read(tmp_path, content)
