"""Addresses of the site: readable, stable, and never the same for two models."""

from __future__ import annotations

from expectations.board.addresses import model_page_name, navigation, row_address


def test_a_model_s_page_is_named_after_its_id() -> None:
    assert model_page_name("Qwen/Qwen3-8B") == "qwen-qwen3-8b.html"
    assert model_page_name("meta-llama/Llama-3.1-8B_x") == "meta-llama-llama-3.1-8b-x.html"
    assert row_address("Qwen/Qwen3-8B", "c0ffee") == "models/qwen-qwen3-8b.html#c0ffee"


def test_no_id_leads_out_of_the_folder() -> None:
    assert model_page_name('../../a b"<x>') == "-.-..-a-b--x-.html"


def test_a_long_id_is_still_a_file_s_name() -> None:
    names = [model_page_name("organisation/" + "x" * 400 + end) for end in ("a", "b")]
    assert names[0] != names[1]
    assert max(len(name) for name in names) < 130


def test_two_models_never_share_a_page() -> None:
    ids = ["Org/Model-1", "org/model_1", "org/other"]
    names = [model_page_name(model_id, ids) for model_id in ids]
    assert len(set(names)) == len(ids)
    assert names[0].startswith("org-model-1-")
    assert names[2] == "org-other.html"


def test_the_navigation_leads_to_the_first_reading() -> None:
    assert ("reading-jouleboard.html", "Reading") in navigation(["jouleboard", "mlenergy-v3"])
    assert "Reading" not in [title for _, title in navigation([])]


def test_a_publication_of_before_the_marts_of_a_page_has_no_link_to_it() -> None:
    assert [title for _, title in navigation([], is_whole=False)] == ["Explorer", "Gate"]
