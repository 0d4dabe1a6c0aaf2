from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from drawn_review import Served, categories, misfiled, served
from PIL import Image

from shelfwise.catalog import Catalog, changing, undo
from shelfwise.corrections.apply import apply_plan
from shelfwise.errors import CatalogError, OptionError
from shelfwise.options import ReviewOptions
from shelfwise.review import review
from shelfwise.review.photos import shown
from shelfwise.verify import verify

WRONG = 20


@pytest.fixture
def shop(embedded_catalog: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    return misfiled(embedded_catalog, tmp_path / "shop.catalog", WRONG)


@pytest.fixture
def page(shop: tuple[Path, dict[str, str]]) -> Iterator[Served]:
    with served(shop[0], who="ann") as found:
        yield found


def test_what_was_planted_comes_first_with_its_own_shelf_suggested(page: Served, shop):
    _, belongs = shop
    shown_first = [page.ask(f"items/{position}")[1] for position in range(WRONG)]
    planted = [one for one in shown_first if one["product_id"] in belongs]
    right = [one for one in planted if one["others"][0]["id"] == belongs[one["product_id"]]]
    assert len(planted) >= 0.8 * WRONG
    assert len(right) >= 0.8 * len(planted)
    first = shown_first[0]
    assert first["others"][0]["probability"] > first["shelf"]["probability"]
    assert len(first["shelf_photos"]) == 3
    assert first["counts"]["total"] == len(page.sitting.queue)


def test_verdicts_are_in_the_catalog_at_once_with_name_and_can_be_undone_one_by_one(page: Served, shop):
    catalog, _ = shop
    before = categories(catalog)
    first, second, third = (page.ask(f"items/{position}")[1] for position in range(3))
    suggested = first["others"][0]["id"]
    assert page.ask("verdicts", {"position": 0, "verdict": "accept", "to": suggested})[0] == 200
    assert categories(catalog)[first["product_id"]] == suggested
    page.ask("verdicts", {"position": 1, "verdict": "reject"})
    other = Catalog(catalog).taxonomy.leaves[0]
    page.ask("verdicts", {"position": 2, "verdict": "move", "to": other})
    status, told, _ = page.ask("verdicts", {"position": 2, "verdict": "skip"})
    assert (status, told["counts"]["skip"], told["counts"]["move"]) == (200, 1, 0)
    assert categories(catalog)[third["product_id"]] == before[third["product_id"]], (
        "a second verdict replaces the first"
    )
    log = [
        (row["who"], row["origin"], row["action"], row["product_id"])
        for row in Catalog(catalog).corrections().to_pylist()
    ]
    assert log[:2] == [
        ("ann", "review", "move", first["product_id"]), ("ann", "review", "confirm", second["product_id"]),
    ]  # fmt: skip
    assert [page.ask("undo", {})[1]["position"] for _ in range(4)] == [2, 1, 0, None]
    assert categories(catalog) == before
    assert page.ask("items/0")[1]["decision"] is None
    assert verify(catalog).findings == []


def test_all_decisions_of_a_sitting_are_one_step_back(page: Served, shop):
    catalog, _ = shop
    before = categories(catalog)
    for position in range(12):
        item = page.ask(f"items/{position}")[1]
        page.ask("verdicts", {"position": position, "verdict": "accept", "to": item["others"][0]["id"]})
    assert sum(one != before[product] for product, one in categories(catalog).items()) == 12
    assert undo(catalog)[0].what == "review by ann"
    assert categories(catalog) == before


def test_a_decision_changes_what_is_said_of_the_others(page: Served):
    position, before = 0, page.sitting.queue.suspect(int(page.sitting.queue.suspects.product[5]))
    for position in range(3):
        item = page.ask(f"items/{position}")[1]
        page.ask("verdicts", {"position": position, "verdict": "accept", "to": item["others"][0]["id"]})
    after = page.sitting.queue.suspect(before.product)
    assert after.own_probability != before.own_probability


def test_an_answer_takes_well_under_a_third_of_a_second(page: Served):
    seconds = []
    for position in range(5):
        item = page.ask(f"items/{position}")[1]
        started = time.monotonic()
        page.ask("verdicts", {"position": position, "verdict": "accept", "to": item["others"][0]["id"]})
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.3


def test_what_was_decided_is_not_asked_again(page: Served, shop):
    decided = []
    for position, verdict in enumerate(["reject", "accept", "skip"]):
        item = page.ask(f"items/{position}")[1]
        to = {"to": item["others"][0]["id"]} if verdict == "accept" else {}
        page.ask("verdicts", {"position": position, "verdict": verdict} | to)
        decided.append(item["product_id"])
    with served(shop[0]) as again:
        position, seen = 0, []
        while not (item := again.ask(f"items/{position}")[1])["done"]:
            seen.append(item["product_id"])
            position += 1
    assert [product in seen for product in decided] == [False, False, True]


def test_photos_are_sent_as_a_browser_shows_them(page: Served):
    number = page.ask("items/0")[1]["photos"][0]
    status, content, headers = page.ask(f"photos/{number}")
    assert (status, headers["content-type"], headers["x-content-type-options"]) == (200, "image/jpeg", "nosniff")
    assert Image.open(io.BytesIO(content)).size == (128, 128)
    _, small, _ = page.ask(f"photos/{number}?small=true")
    assert Image.open(io.BytesIO(small)).format == "JPEG"


@pytest.mark.parametrize(("kind", "media"), [("PNG", "image/png"), ("TIFF", "image/jpeg"), ("BMP", "image/jpeg")])
def test_formats_that_browsers_do_not_show_are_sent_as_jpeg(kind: str, media: str):
    stream = io.BytesIO()
    Image.new("RGB", (50, 40), "red").save(stream, kind)
    content, found = shown(stream.getvalue())
    assert found == media
    assert Image.open(io.BytesIO(content)).size == (50, 40)


@pytest.mark.parametrize(
    "path",
    [
        "photos/99999999",
        "photos/-1",
        "photos/..%2f..%2fetc%2fpasswd",
        "../../etc/passwd",
        "photos/x",
        "docs",
        "openapi.json",
    ],
)
def test_nothing_else_can_be_read(page: Served, path: str):
    status, content, _ = page.ask(path)
    assert status in (404, 422)
    assert b"root:" not in str(content).encode()


def test_strangers_are_refused(page: Served):
    verdict = {"position": 0, "verdict": "skip"}
    page.ask("items/0")
    root = page.address[: -len(page.token) - 1]
    port = re.search(r":(\d+)/", page.address)[1]
    assert page.ask("", address=root)[0] == 404, "no token"
    assert page.ask("items/0", address=f"{root}wrong/")[0] == 404, "a wrong token"
    assert page.ask("items/0", headers={"Host": f"evil.example:{port}"})[0] == 403, "a name that was bound anew"
    assert page.ask("items/0", headers={"Host": "127.0.0.1:1"})[0] == 403
    assert page.ask("items/0", headers={"Host": f"localhost:{port}"})[0] == 200
    assert page.ask("verdicts", verdict, {"X-Shelfwise-Token": "wrong"})[0] == 403, "a form of another page"
    assert page.ask("verdicts", verdict, {"Content-Type": "text/plain"})[0] == 403
    assert page.ask("verdicts", verdict | {"verdict": "delete"})[0] == 422
    assert page.ask("verdicts", {"position": 0, "verdict": "accept"})[0] == 409, "accepted is a shelf"
    assert page.ask("verdicts", {"position": 77, "verdict": "skip"})[0] == 409
    assert page.sitting.counts["skip"] == 0
    _, _, headers = page.ask("")
    assert "access-control-allow-origin" not in {name.lower() for name in headers}
    assert "script-src 'sha256-" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


def test_a_catalog_that_is_held_is_told_and_the_same_deed_works_later(page: Served, shop):
    item = page.ask("items/0")[1]
    verdict = {"position": 0, "verdict": "accept", "to": item["others"][0]["id"]}
    with changing(shop[0], "embed"):
        status, told, _ = page.ask("verdicts", verdict)
        assert (status, "is being changed by embed" in told["error"]) == (409, True)
    assert page.ask("items/0")[1]["decision"] is None
    assert page.ask("verdicts", verdict)[0] == 200


def test_a_catalog_that_another_command_changed_ends_the_sitting_with_all_that_was_decided(page: Served, shop):
    item = page.ask("items/0")[1]
    page.ask("verdicts", {"position": 0, "verdict": "accept", "to": item["others"][0]["id"]})
    with changing(shop[0], "ingest") as change:
        change.append_products([{"product_id": "new"}])
    status, told, _ = page.ask("items/1")
    assert (status, "start review again" in told["error"]) == (409, True)
    assert categories(shop[0])[item["product_id"]] == item["others"][0]["id"]


def test_the_queue_goes_out_as_csv_and_comes_back_with_answers(shop, tmp_path: Path):
    catalog, _ = shop
    done = review(catalog, ReviewOptions(suspects=WRONG), csv=tmp_path / "queue.csv")
    assert (done.suspects, done.next) == (WRONG, f"shelfwise apply {tmp_path / 'queue.csv'}")
    lines = (tmp_path / "queue.csv").read_text().splitlines()
    assert len(lines) == WRONG + 1
    assert apply_plan(tmp_path / "queue.csv").skipped == WRONG
    answered = [lines[0], *("yes" + line if place % 2 == 0 else "no" + line for place, line in enumerate(lines[1:]))]
    (tmp_path / "queue.csv").write_text("\n".join(answered) + "\n")
    applied = apply_plan(tmp_path / "queue.csv")
    assert applied.applied == {"move": WRONG / 2, "confirm": WRONG / 2}
    again = review(catalog, ReviewOptions(suspects=500), csv=tmp_path / "again.csv")
    first = {line.split(",")[3] for line in lines[1:]}
    assert again.suspects == 0 or not first & {
        line.split(",")[3] for line in (tmp_path / "again.csv").read_text().splitlines()
    }


def test_a_bundle_names_the_vectors_to_judge_with(shop, drawn_bundle: Path, tmp_path: Path):
    assert review(shop[0], ReviewOptions(suspects=3), drawn_bundle, csv=tmp_path / "queue.csv").suspects == 3


def test_a_catalog_without_vectors_and_a_port_that_is_taken_are_told(drawn_catalog: Path, page: Served, shop):
    with pytest.raises(CatalogError, match="has no embeddings yet: type  shelfwise embed"):
        review(drawn_catalog)
    port = int(re.search(r":(\d+)/", page.address)[1])
    with pytest.raises(OptionError, match=f"--port {port}: Address already in use; 0 takes any that is free"):
        review(shop[0], ReviewOptions(port=port))


SERVE = """
import json, sys
from shelfwise.options import ReviewOptions
from shelfwise.review import review
done = review(sys.argv[1], ReviewOptions(no_browser=True), opened=lambda address: print(address, flush=True))
print(json.dumps(done.to_dict()))
"""


def test_ctrl_c_ends_it_cleanly_with_a_summary_and_what_to_type_next(shop):
    job = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(shop[0])], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    address = job.stdout.readline().strip()
    page = Served(address, None)
    item = page.ask("items/0")[1]
    page.ask("verdicts", {"position": 0, "verdict": "accept", "to": item["others"][0]["id"]})
    job.send_signal(signal.SIGINT)
    out, err = job.communicate(timeout=30)
    assert (job.returncode, err) == (0, "")
    assert '"accepted": 1' in out
    assert '"next": "shelfwise train ' in out


def test_a_verdict_that_cannot_be_carried_out_leaves_the_one_before_it(page: Served, shop):
    item = page.ask("items/0")[1]
    suggested = item["others"][0]["id"]
    page.ask("verdicts", {"position": 0, "verdict": "accept", "to": suggested})
    for nowhere in ("nowhere", "\0", "x" * 10_000):
        status, told, _ = page.ask("verdicts", {"position": 0, "verdict": "move", "to": nowhere})
        assert (status, "the catalog has no shelf" in told["error"], len(told["error"]) < 200) == (409, True, True)
    assert page.ask("items/0")[1]["decision"]["verdict"] == "accept"
    assert categories(shop[0])[item["product_id"]] == suggested


def test_what_is_no_verdict_is_answered_in_words(page: Served):
    page.ask("items/0")
    for body in ([1, 2], "skip", {"position": float("nan"), "verdict": "skip"}, {"position": 0, "verdict": "x"}):
        status, told, _ = page.ask("verdicts", body)
        assert (status, told["error"].startswith("not understood: ")) == (422, True)
    long = {"Content-Length": str(10**9)}
    assert page.ask("verdicts", {"position": 0, "verdict": "skip"}, long)[0] == 413
    assert page.sitting.decisions == {}


def test_a_catalog_is_reviewed_from_within_its_folder(shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shelfwise.review.run.serve", lambda *_: None)
    monkeypatch.chdir(shop[0])
    assert review(".").next == f"shelfwise train . --to {shop[0].with_name('shop.bundle')}"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "queue.csv").write_text("answers")
    with pytest.raises(OptionError, match=r"--csv queue\.csv exists"):
        review(shop[0], csv="queue.csv")
