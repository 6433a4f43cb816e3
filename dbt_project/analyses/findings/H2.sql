-- H2: B200 vs H100, LLM: B200 wins 63
select count(*) filter (winner = 'B200') from marts.gpu_generation_comparison
where
    data_source = 'mlenergy-v3' and new_gpu_model = 'B200' and old_gpu_model = 'H100'
    and task in ('gpqa', 'lm-arena-chat')
