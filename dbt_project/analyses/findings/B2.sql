-- B2: LLM / task type: mean 717 output tokens (Text Conversation)
select avg(output_tokens_per_response) from marts.min_energy_configurations
where
    data_source = 'mlenergy-v3'
    and scope = 'all-gpu-counts'
    and gpu_model = 'B200'
    and task = 'lm-arena-chat'
