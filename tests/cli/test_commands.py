from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from commands_here import refused, run
from drawn_shop import lay_out, photo, shelf, shelfwise, write

SOURCES = ["folder", "grocery", "table", "huggingface", "cdiscount", "shopee", "imaterialist", "bookcover30"]
VERBS = [["ingest", source] for source in SOURCES] + [["quarantine", "list"], ["quarantine", "retry"]]
VERBS += [
    [verb] for verb in ("show", "split", "export", "undo", "verify", "embed", "train", "evaluate", "predict", "demo")
]


def test_the_whole_walk_by_command_prints_json_alone_on_standard_output(drawn_folder: Path, tmp_path: Path):
    catalog, bundle, report = tmp_path / "shop.catalog", tmp_path / "shop.bundle", tmp_path / "report"
    walk = {
        "ingest": ["ingest", "folder", drawn_folder, "--to", catalog],
        "embed": ["embed", catalog, "--backbone", "lite0@96", "--precision", "fp32"],
        "train": ["train", catalog, "--to", bundle],
        "evaluate": ["evaluate", bundle, catalog, "--to", report],
        "predict": ["predict", bundle, drawn_folder / "test" / shelf("mug"), "--top", "2"],
    }
    told = {}
    for verb, arguments in walk.items():
        done = shelfwise(*arguments, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        told[verb] = json.loads(done.stdout)
        assert re.search(rf"(?m)^{verb}", done.stderr), f"{verb} shows no progress"
    assert (told["ingest"]["products"], told["embed"]["images"], told["train"]["products"]) == (180, 180, 96)
    assert told["evaluate"]["report"] == str(report / "index.html")
    assert told["evaluate"]["top1"]["value"] == json.loads((report / "metrics.json").read_text())["top1"]["value"]
    assert [len(prediction["answers"]) for prediction in told["predict"]["predictions"]] == [2, 2, 2, 2]


def test_what_people_read_ends_with_the_next_command(
    capsys: pytest.CaptureFixture[str], drawn_folder: Path, embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path
):
    code, out, _ = run(capsys, "ingest", "folder", drawn_folder / "val", "--to", tmp_path / "val.catalog")
    assert code == 0
    assert "36 products in 12 categories on 3 levels" in out
    assert "rows    36 = 36 added + 0 updated + 0 unchanged + 0 quarantined + 0 duplicates" in out
    assert "photos  36 = 36 images + 0 quarantined + 0 missing" in out
    assert out.rstrip().endswith(f"shelfwise embed {tmp_path / 'val.catalog'}")
    code, out, _ = run(capsys, "embed", embedded_catalog, "--backbone", "lite0@96", "--precision", "fp32")
    assert code == 0
    assert f"shelfwise train {embedded_catalog} --to {embedded_catalog.with_suffix('.bundle')}" in out
    code, out, _ = run(capsys, "evaluate", drawn_bundle, embedded_catalog)
    assert code == 0
    assert "split test: 48 products, 12 categories" in out
    for heading in ("top-1", "top-5", "macro-F1", "level2 top-1", "95 % interval", "leave one out"):
        assert heading in out
    code, out, _ = run(capsys, "predict", drawn_bundle, drawn_folder / "test" / shelf("boot"))
    assert code == 0
    assert "Fashion > Shoes > Boot" in out
    assert "4 answered, 0 quarantined" in out


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_takes_json_and_says_so(capsys: pytest.CaptureFixture[str], verb: list[str]):
    code, out, _ = run(capsys, *verb, "--help")
    assert code == 0
    assert "--json" in out
    assert "--no-" not in out


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["embed", "x", "--backbon", "lite0"], "--backbone"),
        (["train", "x", "--to", "y", "--learnfrom", "train"], "--learn-from"),
        (["predict", "x", "y", "--tpo", "3"], "--top"),
        (["ingest", "folder", "x", "--too", "y"], "--to"),
        (["evalute", "x"], "evaluate"),
        (["train", "x", "--to", "y", "--head", "rigde"], "ridge"),
        (["embed", "x", "--preset", "fastest"], '"fast"'),
    ],
)
def test_what_is_misspelt_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str], arguments: list[str], near: str):
    assert near in refused(capsys, *arguments)


def test_a_misspelt_backbone_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str], drawn_catalog: Path):
    assert "did you mean 'lite0'?" in refused(capsys, "embed", drawn_catalog, "--backbone", "lit0")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["embed"], "catalog"),
        (["embed", "nowhere.catalog"], "nowhere.catalog is not a catalog"),
        (["train", "x"], "--to"),
        (["ingest", "folder", "nowhere", "--to", "x.catalog"], "nowhere is not a folder"),
        (["ingest", "grocery", ".", "--to", "x.catalog"], "classes.csv is missing"),
        (["predict", "x.bundle"], "name at least one photo"),
        (["predict", "x.bundle", "nowhere.jpg"], "nowhere.jpg does not exist"),
        (["predict", "x.bundle", "y", "--top", "0"], "--top 0: at least 1"),
        (["predict", "x.bundle", "y", "--top", "many"], "--top"),
        (["embed", "x", "--threads", "-1"], "--threads -1"),
        (["evaluate", "x.bundle", "x.catalog"], "bundle_invalid: x.bundle: does not exist"),
    ],
)
def test_what_the_user_can_fix_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
):
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_exists_is_one_line(
    capsys: pytest.CaptureFixture[str], drawn_folder: Path, embedded_catalog: Path, drawn_bundle: Path
):
    assert "exists and is no catalog" in refused(capsys, "ingest", "folder", drawn_folder, "--to", drawn_bundle)
    assert "exists already" in refused(capsys, "train", embedded_catalog, "--to", drawn_bundle)


def test_a_damaged_bundle_is_one_line_that_names_the_file(
    capsys: pytest.CaptureFixture[str], drawn_bundle: Path, drawn_folder: Path, tmp_path: Path
):
    broken = shutil.copytree(drawn_bundle, tmp_path / "x.bundle")
    (broken / "head.safetensors").write_bytes(b"")
    assert "bundle_invalid: head.safetensors: " in refused(capsys, "predict", broken, drawn_folder / "test")


def test_an_unknown_category_is_exit_code_2_with_both_lists_and_no_accuracy(
    capsys: pytest.CaptureFixture[str], drawn_bundle: Path, tmp_path: Path
):
    for name in ("train/Home/Kitchen/Mug/1", "test/Home/Kitchen/Mug/2", "test/Home/Kitchen/Teapot/3"):
        write(tmp_path / "photos" / f"{name}.jpg", photo("mug", int(name[-1])))
    catalog = tmp_path / "tea.catalog"
    assert run(capsys, "ingest", "folder", tmp_path / "photos", "--to", catalog)[0] == 0
    assert run(capsys, "embed", catalog, "--backbone", "lite0@96", "--precision", "fp32")[0] == 0
    code, out, err = run(capsys, "evaluate", drawn_bundle, catalog)
    assert (code, out) == (2, "")
    assert "unknown:         Home/Kitchen/Teapot" in err
    assert "in the split:    Home/Kitchen/Mug, Home/Kitchen/Teapot" in err
    assert "in the bundle:   " in err
    assert "Fashion/Shoes/Boot" in err
    assert "%" not in err.split("error:")[1]
    code, out, _ = run(capsys, "evaluate", drawn_bundle, catalog, "--allow-missing-classes", "--json")
    assert code == 0
    assert json.loads(out)["top1"]["value"] == 0.5


def test_a_bug_is_exit_code_70_with_its_traceback(
    capsys: pytest.CaptureFixture[str], drawn_catalog: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("shelfwise.embed.run.parse_specs", broken)
    code, out, err = run(capsys, "embed", drawn_catalog)
    assert (code, out) == (70, "")
    assert "Traceback" in err
    assert "ZeroDivisionError: planted" in err
    assert "this is a bug in shelfwise" in err


def test_a_stopped_command_is_exit_code_130_without_a_traceback(
    capsys: pytest.CaptureFixture[str], drawn_catalog: Path, monkeypatch: pytest.MonkeyPatch
):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shelfwise.embed.run.parse_specs", stopped)
    code, _, err = run(capsys, "embed", drawn_catalog)
    assert code == 130
    assert err == "stopped: the same command goes on where it was\n"


def test_ctrl_c_leaves_nothing_half_done(tmp_path: Path):
    root = lay_out(tmp_path / "shop", *(f"a/{number}.jpg" for number in range(300)))
    command = [
        str(Path(sys.executable).with_name("shelfwise")),
        "ingest",
        "folder",
        root,
        "--to",
        tmp_path / "x.catalog",
    ]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while child.poll() is None and not (tmp_path / "x.catalog" / "images.lance").exists():
        pass
    child.send_signal(signal.SIGINT)
    _, err = child.communicate()
    assert child.returncode == 130, err
    assert "stopped" in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


@pytest.mark.parametrize(
    "target",
    [Path("/proc/x.catalog"), Path("/dev/null/x.catalog")],
    ids=["a file system without files", "below a file"],
)
def test_a_place_that_cannot_be_written_is_one_line(
    capsys: pytest.CaptureFixture[str], drawn_folder: Path, target: Path
):
    assert "/" in refused(capsys, "ingest", "folder", drawn_folder / "val", "--to", target)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_the_output_is_one_line(embedded_catalog: Path, unbuffered: str):
    with Path("/dev/full").open("w") as full:
        child = embedding(embedded_catalog, full, unbuffered)
    _, err = child.communicate()
    assert child.returncode == 2
    assert err == "error: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error(embedded_catalog: Path, unbuffered: str):
    read, written = os.pipe()
    os.close(read)
    child = embedding(embedded_catalog, written, unbuffered)
    os.close(written)
    _, err = child.communicate()
    assert (child.returncode, err) == (0, "")


def embedding(catalog: Path, stdout: IO[str] | int, unbuffered: str) -> subprocess.Popen[str]:
    """Start a run that has nothing to compute and prints its summary."""
    command = [Path(sys.executable).with_name("shelfwise"), "embed", catalog, "--backbone", "lite0@96", "--json"]
    env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    return subprocess.Popen(
        [*map(str, command), "--precision", "fp32"], stdout=stdout, stderr=subprocess.PIPE, text=True, env=env
    )


def test_names_with_brackets_and_odd_bytes_are_printed_as_they_are(
    capsys: pytest.CaptureFixture[str], drawn_bundle: Path, tmp_path: Path
):
    write(tmp_path / "a[/]b [red]c" / "x[bold].jpg", photo("mug"))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(photo("mug", 1))
    write(tmp_path / "z[/].jpg", b"")
    code, out, _ = run(capsys, "predict", drawn_bundle, tmp_path)
    assert code == 0
    assert "a[/]b [red]c/x[bold].jpg  Home > Kitchen > Mug" in out
    assert r"\xff.jpg  Home > Kitchen > Mug" in out
    assert "z[/].jpg  img_empty" in out
    beside = tmp_path.with_name(f"{tmp_path.name}[") / "x].catalog"
    code, out, _ = run(capsys, "ingest", "folder", tmp_path, "--to", beside, "--max-bad", "50")
    assert code == 0
    assert "[/x].catalog: 3 products" in out


def test_answers_are_written_as_a_table_where_asked(
    capsys: pytest.CaptureFixture[str], drawn_bundle: Path, tmp_path: Path
):
    write(tmp_path / "photos" / "=1+1.jpg", photo("mug"))
    write(tmp_path / "photos" / "broken.jpg", b"")
    code, out, _ = run(capsys, "predict", drawn_bundle, tmp_path / "photos", "--csv", tmp_path / "answers.csv")
    assert code == 0
    assert "1 answered, 1 quarantined" in out
    rows = (tmp_path / "answers.csv").read_bytes().decode().split("\r\n")
    asked = "sure_category,sure_path,sure_level,sure_probability,set"
    assert rows[0] == f"photo,status,category,path,probability,familiarity,{asked},reason,detail"
    assert re.fullmatch(r".*=1\+1\.jpg,ok,Home/Kitchen/Mug,Home > Kitchen > Mug,[01]\.\d{6},[01]\.\d{6},{7}", rows[1])
    assert rows[2].split(",")[1] == "quarantined"
    assert rows[3:] == [""]


def test_options_may_come_from_a_file_and_a_wrong_one_there_is_told(
    drawn_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "shelfwise.toml", b'[embed]\nbackbone = "lite7"\n')
    assert "no backbone is called 'lite7'" in refused(capsys, "embed", drawn_catalog)
    write(tmp_path / "shelfwise.toml", b"[embed]\nbackbon = 1\n")
    assert "backbon" in refused(capsys, "embed", drawn_catalog)
    write(tmp_path / "shelfwise.toml", b"[embed\n")
    assert "TOML" in refused(capsys, "embed", drawn_catalog)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]):
    from shelfwise import __version__

    assert run(capsys, "--version")[:2] == (0, f"{__version__}\n")
