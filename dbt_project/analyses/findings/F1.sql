-- F1: Batch size: reduces energy per token by 3x (low end)
select
    max(energy_per_output_joules) filter (batch_size = 16)
    / max(energy_per_output_joules) filter (batch_size = 128)
from marts.batch_size_scaling
where
    data_source = 'mlenergy-v3' and model_id = 'deepseek-ai/DeepSeek-R1-0528' and task = 'gpqa'
    and gpu_model = 'B200' and num_gpus = 8
