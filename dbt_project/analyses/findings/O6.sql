-- O6: Multi-GPU: 2x B200 without enabling lower energy
select
    max(energy_per_output_joules) filter (num_gpus = 2)
    > max(energy_per_output_joules) filter (num_gpus = 1)
from marts.min_energy_configurations
where
    data_source = 'mlenergy-v3' and scope = 'gpu-count' and model_id = 'openai/gpt-oss-120b'
    and task = 'gpqa' and gpu_model = 'B200'
