-- H13: B200 vs H100, LLM: at relaxed constraints (> 50 ms), B200 wins (the two models named)
-- The two models that lose at 50 ms, at the two relaxed ceilings.
select count(*) filter (winner = 'B200') from marts.gpu_generation_comparison
where
    data_source = 'mlenergy-v3' and new_gpu_model = 'B200' and old_gpu_model = 'H100'
    and task in ('gpqa', 'lm-arena-chat')
    and median_itl_ceiling_ms > 50
    and (model_id, task) in (
        ('Qwen/Qwen3-30B-A3B-Thinking-2507', 'gpqa'),
        ('Qwen/Qwen3-235B-A22B-Instruct-2507-FP8', 'lm-arena-chat')
    )
