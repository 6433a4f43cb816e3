-- C11: Qwen 3 32B on 1x B200: Energy/token @ max batch size: 0.151 J
select reference_energy_per_token_joules from marts.task_comparison
where
    data_source = 'mlenergy-v3' and model_id = 'Qwen/Qwen3-32B' and gpu_model = 'B200' and num_gpus = 1
    and task = 'gpqa' and reference_task = 'lm-arena-chat' and basis = 'max-batch'
