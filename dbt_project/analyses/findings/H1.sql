-- H1: B200 vs H100, LLM: 72 comparisons
select count(*) from marts.gpu_generation_comparison
where
    data_source = 'mlenergy-v3' and new_gpu_model = 'B200' and old_gpu_model = 'H100'
    and task in ('gpqa', 'lm-arena-chat')
