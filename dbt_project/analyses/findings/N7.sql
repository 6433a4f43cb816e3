-- N7: Precision FP8 vs BF16: 480B FP8 attention data parallelism, BF16 not
select string_agg(distinct fp8_data_parallel || ' / ' || bf16_data_parallel, ', ')
from marts.precision_comparison
where
    data_source = 'mlenergy-v3' and base_model_id = 'Qwen/Qwen3-Coder-480B-A35B-Instruct'
    and gpu_model = 'B200' and num_gpus = 8
