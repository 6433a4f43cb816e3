select
    price_list_id,
    nickname,
    gpu_model,
    num_gpus,
    runtime,
    runtime_version,
    weights,
    task,
    batch_size,
    request_rate,
    fixed_prompt_tokens,
    fixed_answer_tokens,
    measured_joules,
    predicted_joules,
    error,
    runs,
    is_within_measured,
    is_on_fitted_gpus,
    is_proven
from marts.energy_price_proof
where data_source = 'jouleboard'
order by
    not is_proven, nickname, gpu_model, runtime_version, price_list_id, not is_on_fitted_gpus,
    not is_within_measured, task, batch_size, request_rate, fixed_prompt_tokens
