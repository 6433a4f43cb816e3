"""Weights that stand in for real ones: drawn, and scaled so that a model computes as a trained one does.

`recipe` says how a tensor of a language model is drawn, `checkpoint` which tensors it has, `vllm_plugin`
gives them to vLLM without a disk, `pipelines` fills an image or video pipeline, and `support` says what can
be said without torch. `installing` copies these into a folder for a runtime's PYTHONPATH: they import
nothing of the measuring core.
"""
