-- F2: Batch size: ... to 5x (high end)
select
    max(energy_per_output_joules) filter (batch_size = 16)
    / max(energy_per_output_joules) filter (batch_size = 1024)
from marts.batch_size_scaling
where
    data_source = 'mlenergy-v3'
    and model_id = 'Qwen/Qwen3-Coder-30B-A3B-Instruct'
    and task = 'sourcegraph-fim'
    and gpu_model = 'B200' and num_gpus = 1
