"""Weights that stand in for real ones: drawn, and scaled so that a model computes as a trained one does.

`recipe` says how a tensor is drawn, `checkpoint` which tensors a model has, `vllm_plugin` gives them to
vLLM without a disk, and `installing` puts the three where a vLLM environment finds them. The first three
are copied into that environment: they import nothing of the measuring core.
"""
