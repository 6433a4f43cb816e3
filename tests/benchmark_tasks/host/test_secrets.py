"""A secret is known by its name, wherever it stands; a user in an address by its place."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark_tasks.host.secrets import HIDDEN, arguments_without_secrets, is_secret, without_secrets


@pytest.mark.parametrize(
    "name",
    [
        *("hf-token", "hf_token", "HF_TOKEN", "--hf-token", "apiKey", "api_keys", "VLLM_API_KEY"),
        *("aws_secret_access_key", "AWS_ACCESS_KEY_ID_SECRET", "db.password", "credentials"),
        *("OTEL_EXPORTER_OTLP_HEADERS", "Authorization", "basic_auth", "passphrase", "PGPASSWORD", "apikey"),
    ],
)
def test_a_secret_is_known_by_the_last_word_of_its_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("max-num-batched-tokens", "max_tokens", "ssl_keyfile", "tokenizer", "keyboard", "", "--", "_"),
        *("key_cache_dtype", "authors", "LD_LIBRARY_PATH", "VLLM_USE_DEEP_GEMM", "NCCL_NVLS_ENABLE"),
    ],
)
def test_other_names_are_none(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ({"api-key": "S"}, {"api-key": HIDDEN}),
        ({"api_keys": ["S", "T"]}, {"api_keys": HIDDEN}),
        ({"a": {"b": [{"token": "S", "c": 1}]}}, {"a": {"b": [{"token": HIDDEN, "c": 1}]}}),
        ({"a": '{"token": "S", "é": 1}'}, {"a": f'{{"token": "{HIDDEN}", "é": 1}}'}),
        ({"a": '[{"secret":  "S"}]'}, {"a": f'[{{"secret": "{HIDDEN}"}}]'}),
        ({"url": "redis://me:S@host:1/x"}, {"url": f"redis://{HIDDEN}@host:1/x"}),
        (
            {"urls": ["https://S@host/x", "https://host/@x"]},
            {"urls": [f"https://{HIDDEN}@host/x", "https://host/@x"]},
        ),
    ],
    ids=["one", "a-list-of-them", "in-a-list", "in-json", "in-a-json-list", "in-an-address", "a-user-alone"],
)
def test_secrets_are_hidden_however_deep(given: dict[str, Any], recorded: dict[str, Any]) -> None:
    assert without_secrets(given) == recorded


def test_what_is_no_secret_stays_as_it_is() -> None:
    given: dict[str, Any] = {
        "enable_auth": True,
        "key": 3,
        "token": "",
        "compilation-config": {"level": 3, "sizes": [1, 2]},
        "spaced": '{"a":   1}',
        "broken": '{"token": ',
        "mail": "someone@example.org",
        "none": None,
    }
    assert without_secrets(given) == given


def test_secrets_of_a_command_line() -> None:
    command = [
        "vllm",
        "--api-key=S",
        "--hf-token",
        "S",
        "--port",
        "1",
        "--token",
        "--seed",
        "0",
        '--x={"key": "S"}',
    ]
    assert arguments_without_secrets(command) == (
        *("vllm", f"--api-key={HIDDEN}", "--hf-token", HIDDEN, "--port", "1", "--token", "--seed", "0"),
        f'--x={{"key": "{HIDDEN}"}}',
    )
