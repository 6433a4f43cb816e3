-- C4: Qwen 3 32B on 1x B200: Average output tokens 7,035
select output_tokens_per_response from marts.task_comparison
where
    data_source = 'mlenergy-v3' and model_id = 'Qwen/Qwen3-32B' and gpu_model = 'B200' and num_gpus = 1
    and task = 'gpqa' and reference_task = 'lm-arena-chat' and basis = 'max-batch'
