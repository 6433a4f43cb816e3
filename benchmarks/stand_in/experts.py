"""How many experts a step of decoding reads, under each kind of weights.

CUDA graphs are off, so that hooks run.

    python -m benchmarks.stand_in.experts MODEL_FOLDER OUT.json [--batches 8 64 256] [--as-loaded]

Prompts are random token ids of 32 to 160 tokens, sampled at temperature 0.8 and top-p 0.95.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

from benchmarks.stand_in.served import EXTENSION
from benchmarks.stand_in.stories import DUMMY, NORMAL, STAND_IN, UNTRAINED_ROUTER, Point

_KINDS = (STAND_IN, UNTRAINED_ROUTER, NORMAL, DUMMY)
_STEPS = 48


def counted(engine: Any, batch: int, vocabulary: int) -> dict[str, Any]:
    """One batch of requests of equal length; only steps in which all of them decode are counted."""
    from vllm import SamplingParams

    draw = random.Random(batch)
    prompts = [
        {"prompt_token_ids": [draw.randrange(300, vocabulary - 512) for _ in range(draw.randint(32, 160))]}
        for _ in range(batch)
    ]
    engine.collective_rpc("experts_watch", args=(batch,))
    sampling = SamplingParams(
        max_tokens=_STEPS, temperature=0.8, top_p=0.95, ignore_eos=True, detokenize=False
    )
    outputs = engine.generate(prompts, sampling, use_tqdm=False)
    tokens = [token for output in outputs for token in output.outputs[0].token_ids]
    told = engine.collective_rpc("experts_told")[0]
    return {"batch": batch, "distinct_tokens": len(set(tokens)) / len(tokens), **told}


def main() -> None:
    """Count for each kind and batch size."""
    from vllm import LLM

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 64, 256])
    parser.add_argument("--as-loaded", action="store_true", help="only the weights it was started with")
    parser.add_argument("--gpu-memory-utilization", type=float, default=0.92)
    arguments = parser.parse_args()
    engine = LLM(
        str(arguments.model), load_format="stand-in", skip_tokenizer_init=True, enforce_eager=True,
        max_model_len=512, dtype="bfloat16", worker_extension_cls=EXTENSION, max_num_seqs=256,
        gpu_memory_utilization=arguments.gpu_memory_utilization, enable_prefix_caching=False,
    )  # fmt: skip
    vocabulary = int(json.loads((arguments.model / "config.json").read_text())["vocab_size"])
    lines: list[dict[str, Any]] = []
    for kind in (Point("as loaded", "as-loaded", 0),) if arguments.as_loaded else _KINDS:
        if kind.weights != "as-loaded":
            filled = engine.collective_rpc("weights_fill", args=(kind.weights, dict(kind.options)))[0]
            print(kind.label, {k: v for k, v in filled.items() if k != "rms"}, flush=True)
        for batch in arguments.batches:
            lines.append({"label": kind.label, "at": time.time(), **counted(engine, batch, vocabulary)})
            arguments.out.write_text(json.dumps(lines))
            layers = lines[-1]["layers"].values()
            hit = [layer["hit"] for layer in layers]
            print(
                kind.label,
                batch,
                "hit",
                sum(hit) / max(1, len(hit)),
                lines[-1]["distinct_tokens"],
                flush=True,
            )


if __name__ == "__main__":
    main()
