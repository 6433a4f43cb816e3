-- H7: B200 vs H100, LLM: 82% reduction for Qwen 3 235B A22B Thinking on Problem Solving
select 100 * energy_reduction from marts.gpu_generation_comparison
where
    data_source = 'mlenergy-v3' and new_gpu_model = 'B200' and old_gpu_model = 'H100'
    and model_id = 'Qwen/Qwen3-235B-A22B-Thinking-2507' and task = 'gpqa' and median_itl_ceiling_ms = 100
