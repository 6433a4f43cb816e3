-- B5: LLM / task type: mean 184 J per response (Text Conversation)
select avg(energy_per_response_joules) from marts.min_energy_configurations
where
    data_source = 'mlenergy-v3'
    and scope = 'all-gpu-counts'
    and gpu_model = 'B200'
    and task = 'lm-arena-chat'
