"""A new model becomes a proposal once, with facts that say where they came from; a person decides."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark_tasks.catalog import Asking, HubWatch, load, records
from benchmark_tasks.errors import CatalogError, DiskFull, HubRefused, IndexUnreachable, ProposalError
from benchmark_tasks.plan import plan_release
from benchmark_tasks.releases import proposals
from benchmark_tasks.releases.hub import Hub
from benchmark_tasks.releases.proposals import Proposal, State
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import ModelHub
from benchmark_tasks.vocabulary import Task
from tests.benchmark_tasks.releases.hub_samples import QWEN3_8B, QWEN3_30B, add_dense, add_moe

CATALOG = load()
assert CATALOG.watch.hub is not None
POLICY: HubWatch = CATALOG.watch.hub
NEW = "Qwen/Qwen3-9B"


def proposed(settings: Settings, model_id: str = NEW) -> Proposal:
    return proposals.propose(model_id, Hub(settings), CATALOG, POLICY, settings)


def values(proposal: Proposal) -> dict[str, Any]:
    return {name: fact.value for name, fact in proposal.facts.items()}


def wanted(settings: Settings, policy: HubWatch = POLICY) -> tuple[list[str], list[str]]:
    found, lines = proposals.new_models(Hub(settings), load(overlay=settings.catalog), policy, settings)
    return [model.model_id for model in found], lines


def test_facts_of_a_dense_model(server: ModelHub, settings: Settings) -> None:
    add_dense(server)
    proposal = proposed(settings)
    facts = values(proposal)
    assert (facts["architecture"], facts["family"], facts["modality"]) == (
        "Dense Transformer",
        "Qwen 3",
        "text",
    )
    assert facts["total_params_billions"] == facts["activated_params_billions"] == 8.185
    assert facts["weight_precision"] == "bfloat16"
    # 36 layers x (keys + values) x 8 heads x 128 dimensions x 2 bytes
    assert facts["cache_bytes_per_token"] == 36 * 2 * 8 * 128 * 2
    assert proposal.missing == ()
    assert all(fact.source for fact in proposal.facts.values())


def test_facts_of_a_mixture_of_experts(server: ModelHub, settings: Settings) -> None:
    add_moe(server)
    facts = values(proposed(settings, "Qwen/Qwen3-31B-A3B"))
    assert facts["architecture"] == "MoE"
    assert facts["total_params_billions"] == 1.54 + 128 * 0.2265
    assert facts["activated_params_billions"] == pytest.approx(1.54 + 8 * 0.2265)


def test_gpus_follow_from_weights_and_cache(server: ModelHub, settings: Settings) -> None:
    """16.4 GB of weights, 144 KiB of cache per token, 90 % of the memory less 4 GiB per GPU."""
    add_dense(server)
    entry = proposed(settings).entry({})
    chat = {d.gpu_model: d for d in entry.tasks[Task.LM_ARENA_CHAT].deployments}
    assert {name: d.num_gpus for name, d in chat.items()} == {"H100": 1, "H200": 1, "B200": 1}
    # H100: (72 - 4 - 15.25) GiB / 144 KiB = 384,137 tokens; a chat has 198 + 717 on average: 420 of them.
    assert chat["H100"].batch_sizes == (8, 16, 32, 64, 128, 256)
    assert entry.server == {"max_model_len": 20480}
    assert not entry.trust_remote_code


def test_a_large_model_takes_more_gpus(server: ModelHub, settings: Settings) -> None:
    tensors = {
        "model.safetensors": {
            "model.embed.weight": ("BF16", [7_000_000, 1000]),
            "model.layers.0.mlp.experts.gate_up_proj": ("BF16", [128, 1000, 1_781_250]),
        }
    }
    config = QWEN3_30B | {"num_hidden_layers": 94, "num_attention_heads": 64}
    add_moe(server, "Qwen/Qwen3-235B", config=config, tensors=tensors)
    entry = proposed(settings, "Qwen/Qwen3-235B").entry({})
    chat = {d.gpu_model: d for d in entry.tasks[Task.LM_ARENA_CHAT].deployments}
    # 470 GB: eight H100 (68 GiB each to use), four H200 (123 GiB), four B200; two B200 are too few.
    assert {name: (d.num_gpus, d.expert_parallel) for name, d in chat.items()} == {
        "H100": (8, 8),
        "H200": (4, 4),
        "B200": (4, 4),
    }


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"config": QWEN3_8B | {"torch_dtype": "float16"}}, {"weight_precision"}),
        ({"config": QWEN3_8B | {"torch_dtype": None}}, {"weight_precision"}),
        ({"config": QWEN3_8B | {"torch_dtype": ["bfloat16"] * 99}}, {"weight_precision"}),
        ({"config": QWEN3_8B | {"quantization_config": {"quant_method": "fp8"}}}, {"weight_precision"}),
        (
            {"config": QWEN3_8B | {"quantization_config": {"quant_method": "gptq"}}},
            {"weight_precision", "total_params_billions", "activated_params_billions"},
        ),
        ({"config": QWEN3_8B | {"quantization_config": "odd"}},
         {"weight_precision", "total_params_billions", "activated_params_billions"}),
        ({"config": QWEN3_8B | {"num_hidden_layers": None}}, {"deployments"}),
        ({"config": QWEN3_8B | {"num_hidden_layers": -1}}, {"deployments"}),
        ({"config": QWEN3_8B | {"num_hidden_layers": 10**40}}, {"deployments"}),
        ({"config": QWEN3_8B | {"num_hidden_layers": 3.5}}, {"deployments"}),
        ({"config": QWEN3_8B | {"num_attention_heads": True}}, {"deployments"}),
        ({"config": QWEN3_8B | {"max_position_embeddings": 2048}}, {"deployments"}),
        ({"config": QWEN3_8B | {"architectures": ["NobodyKnows"]}}, {"architecture", "family"}),
        ({"config": QWEN3_8B | {"architectures": [{}]}}, {"architecture", "family"}),
        ({"config": QWEN3_8B | {"num_experts": 8}}, {"architecture", "activated_params_billions"}),
        ({"tensors": {}},
         {"total_params_billions", "activated_params_billions", "deployments"}),
        ({"safetensors": {"total": 5_000_000_000, "parameters": {"BF16": 5_000_000_000}}},
         {"total_params_billions", "activated_params_billions"}),
        ({"pipeline_tag": "text-to-image"}, {"modality", "deployments"}),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_null_and_says_why(
    server: ModelHub, settings: Settings, changes: dict[str, Any], missing: set[str]
) -> None:
    add_dense(server, **{key: value for key, value in changes.items() if key != "safetensors"})
    if "safetensors" in changes:
        server.models[NEW].information["safetensors"] = changes["safetensors"]
    proposal = proposed(settings)
    assert set(proposal.missing) == missing
    for name in missing - {"deployments"}:
        assert proposal.facts[name].value is None
    stored = yaml.safe_load(proposals.path_of(NEW, settings).read_text())
    assert all(stored["facts"][name]["value"] is None for name in missing - {"deployments"})
    with pytest.raises(ProposalError, match="not known: "):
        proposals.accept(NEW, settings, by="ann")


def test_without_the_hubs_count_the_headers_are_counted(server: ModelHub, settings: Settings) -> None:
    add_dense(server, safetensors=False)
    fact = proposed(settings).facts["total_params_billions"]
    assert fact.value == 8.185
    assert "headers" in fact.source


def test_a_person_may_give_what_is_not_known(server: ModelHub, settings: Settings) -> None:
    add_dense(server, config=QWEN3_8B | {"torch_dtype": "float16"})
    proposed(settings)
    with pytest.raises(ProposalError, match="weight_precision"):
        proposals.accept(NEW, settings, by="ann", given={"weight_precision": "int3"})
    with pytest.raises(ProposalError, match="cannot be set"):
        proposals.accept(NEW, settings, by="ann", given={"trust_remote_code": True})
    assert proposals.find(NEW, settings).state is State.PROPOSED
    assert not settings.catalog.joinpath("models").exists()
    proposals.accept(NEW, settings, by="ann", given={"weight_precision": "bfloat16"})
    decision = proposals.find(NEW, settings).decision
    assert (decision.by, decision.given) == ("ann", {"weight_precision": "bfloat16"})


def test_an_accepted_model_is_in_the_catalog_and_planned(server: ModelHub, settings: Settings) -> None:
    model = add_dense(server)
    before = proposed(settings)
    proposals.accept(NEW, settings, by="ann", why="the successor")
    after = proposals.find(NEW, settings)
    assert after.facts == before.facts
    assert (after.state, after.decision.why) == (State.ACCEPTED, "the successor")
    catalog = load(overlay=settings.catalog)
    assert catalog.model(NEW).revision == model.revision
    assert catalog.content_hash != CATALOG.content_hash == load().content_hash
    plan = plan_release(
        catalog,
        Store(settings.raw).listing(),
        runtime="vllm",
        runtime_version="0.33.0",
        gpu_model="H100",
        gpus=1,
        models=[NEW],
    )
    assert {sweep.task for sweep in plan.sweeps} == {Task.LM_ARENA_CHAT, Task.GPQA}
    # The entry travels with its sweeps: a GPU host has the shipped catalog only.
    assert all(sweep.model == catalog.model(NEW) for sweep in plan.sweeps)
    assert (
        load().with_models([sweep.model for sweep in plan.sweeps[:1] if sweep.model]).content_hash
        == catalog.content_hash
    )
    assert wanted(settings)[0] == []


def test_a_decision_is_made_once(server: ModelHub, settings: Settings) -> None:
    add_dense(server)
    proposed(settings)
    proposals.reject(NEW, settings, by="ben", why="not now")
    assert wanted(settings) == ([], [f"{NEW}: skipped, rejected by ben"])
    proposals.accept(NEW, settings, by="ann")
    with pytest.raises(ProposalError, match="accepted by ann already"):
        proposals.accept(NEW, settings, by="ben")
    with pytest.raises(ProposalError, match="is accepted: to stop measuring it, remove"):
        proposals.reject(NEW, settings, by="ben")


def test_an_acceptance_that_was_cut_off_is_done_again(
    server: ModelHub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_dense(server)
    proposed(settings)
    write = records.write

    def killed(path: Path, *arguments: Any, **options: Any) -> None:
        if path.parent == settings.proposals:
            raise KeyboardInterrupt
        write(path, *arguments, **options)

    monkeypatch.setattr(records, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        proposals.accept(NEW, settings, by="ann")
    monkeypatch.undo()
    assert proposals.find(NEW, settings).state is State.PROPOSED
    proposals.accept(NEW, settings, by="ann")
    assert proposals.find(NEW, settings).state is State.ACCEPTED
    assert NEW in load(overlay=settings.catalog).models


def test_facts_never_change(server: ModelHub, settings: Settings) -> None:
    model = add_dense(server)
    first = proposed(settings)
    model.commit(**{"config.json": b"{}"})
    assert proposed(settings) == first


def test_two_watchers_propose_one(server: ModelHub, settings: Settings) -> None:
    add_dense(server)
    both = threading.Barrier(2)
    found: list[Proposal] = []

    def look() -> None:
        hub = Hub(settings)
        both.wait(20)
        found.append(proposals.propose(NEW, hub, CATALOG, POLICY, settings))

    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join(30)
    assert found[0] == found[1] == proposals.find(NEW, settings)
    assert [path.name for path in settings.proposals.iterdir()] == ["Qwen--Qwen3-9B.yaml"]


def test_the_policy_chooses(server: ModelHub, settings: Settings) -> None:
    add_dense(server)
    add_dense(server, "Qwen/Qwen3-9B-GGUF", tags=("GGUF",))
    add_dense(server, "Qwen/Qwen3-old", created_at=datetime(2025, 4, 1, tzinfo=UTC))
    add_dense(server, "Qwen/Qwen3-8B")
    add_dense(server, "Qwen/qwen3-14b")
    add_dense(server, "Qwen/Odd", config=QWEN3_8B | {"architectures": ["Odd\n"]})
    add_dense(server, "Qwen/Hidden", private=True)
    add_dense(server, "Qwen/Off", disabled=True)
    add_dense(server, "Qwen/Ageless", createdAt=None)
    add_dense(server, "nobody/Qwen3-9B")
    server.add("Qwen/Tiny", config=QWEN3_8B, tensors={"model.safetensors": {"a": ("BF16", [1000, 1000])}})
    server.add("Qwen/Huge", config=QWEN3_8B, tensors={"model.safetensors": {"a": ("BF16", [10**6, 10**6])}})
    found, lines = wanted(settings)
    assert found == [NEW]
    assert sorted(lines) == [
        "Qwen/Ageless: skipped, the hub does not say how old it is",
        "Qwen/Hidden: skipped, private or disabled",
        "Qwen/Huge: skipped, 1000 billion parameters are outside 1 to 700",
        "Qwen/Odd: skipped, architecture 'Odd\\n' is not in watch.yaml",
        "Qwen/Off: skipped, private or disabled",
        "Qwen/Qwen3-9B-GGUF: skipped, tagged gguf",
        "Qwen/Tiny: skipped, 0.001 billion parameters are outside 1 to 700",
    ]


def test_a_size_that_only_the_headers_tell_is_judged_too(server: ModelHub, settings: Settings) -> None:
    weights = {"model.safetensors": {"a": ("BF16", [1000, 1000])}}
    server.add(NEW, config=QWEN3_8B, tensors=weights, safetensors=False)
    assert wanted(settings)[0] == [NEW]
    with pytest.raises(HubRefused, match=r"not proposed, 0\.001 billion parameters"):
        proposed(settings)
    assert not settings.proposals.exists()


@pytest.mark.parametrize("fault", ["/api/models/Qwen", "config.json", "model-00002"])
def test_trouble_half_way_writes_nothing(server: ModelHub, settings: Settings, fault: str) -> None:
    add_dense(server)
    server.faults[fault] = 503
    with pytest.raises(IndexUnreachable):
        proposed(settings)
    assert not settings.proposals.exists()
    server.faults.clear()
    assert proposed(settings).missing == ()


@pytest.mark.parametrize(
    "name", ["../../x", "a/../b", "Qwen/\u0430", "Qwen/a--b", "x" * 99 + "/b", "", "Qwen/a/b"]
)
def test_a_hostile_name_has_no_file(settings: Settings, name: str) -> None:
    with pytest.raises(ProposalError, match="not the name of a model"):
        proposals.path_of(name, settings)


def test_a_damaged_proposal_names_its_line(server: ModelHub, settings: Settings) -> None:
    add_dense(server)
    proposed(settings)
    path = proposals.path_of(NEW, settings)
    path.write_text(path.read_text().replace("schema_version: 1", "schema_version: 9"))
    with pytest.raises(CatalogError, match=r"Qwen--Qwen3-9B.yaml:1: schema_version"):
        proposals.everything(settings)


def test_a_full_disk_loses_nothing(server: ModelHub, small_disk: Path) -> None:
    settings = Settings(home=small_disk, hub_url=server.url)
    add_dense(server)
    proposed(settings)
    (small_disk / "filler").write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * 4096))
    with pytest.raises(DiskFull):
        proposals.accept(NEW, settings, by="ann")
    (small_disk / "filler").unlink()
    assert proposals.find(NEW, settings).state is State.PROPOSED
    proposals.accept(NEW, settings, by="ann")


def test_who_decides_is_policy(server: ModelHub, settings: Settings) -> None:
    add_dense(server)
    whole = proposed(settings)
    add_dense(server, "Qwen/Half", config=QWEN3_8B | {"torch_dtype": "float16"})
    half = proposed(settings, "Qwen/Half")
    nobody = POLICY.model_copy(update={"asks": Asking.NOBODY})
    assert [proposals.asks_a_person(one, POLICY) for one in (whole, half)] == [True, True]
    assert [proposals.asks_a_person(one, nobody) for one in (whole, half)] == [False, True]


def test_a_question_has_every_fact_and_nothing_of_the_hubs_own_words(
    server: ModelHub, settings: Settings
) -> None:
    config = QWEN3_8B | {
        "torch_dtype": "| `x` <script>\n[a](http://b)",
        "quantization_config": {"quant_method": "`<b>|"},
    }
    add_dense(server, config=config, pipeline_tag="text-generation")
    question = proposals.question(proposed(settings))
    assert question["subject"] == f"Measure this new model? {NEW}"
    assert "| weight_precision | not known |" in question["body"]
    assert "<b>" not in question["body"]
