with fits as (

    select distinct
        price_list_id,
        gpu_uuids,
        pair_gpu_uuids,
        loads,
        runs,
        run_ids,
        shortest_prompt_tokens,
        longest_prompt_tokens,
        longest_context_tokens
    from {{ ref('int_price_fits') }}

),

fitted as (

    select
        windows.price_list_id,
        any_value(windows.data_source) as data_source,
        any_value(windows.model_id) as model_id,
        any_value(windows.weight_precision) as weight_precision,
        any_value(windows.gpu_model) as gpu_model,
        any_value(windows.num_gpus) as num_gpus,
        any_value(windows.tensor_parallel) as tensor_parallel,
        any_value(windows.expert_parallel) as expert_parallel,
        any_value(windows.data_parallel) as data_parallel,
        any_value(windows.runtime) as runtime,
        any_value(windows.runtime_version) as runtime_version,
        any_value(windows.power_limit_watts) as power_limit_watts,
        any_value(windows.weights) as weights,
        any_value(windows.energy_boundary) as energy_boundary,
        any_value(windows.model_revision) as model_revision,
        max(windows.finished_at) as last_measured_at
    from {{ ref('int_priced_windows') }} as windows
    inner join fits
        on
            windows.price_list_id = fits.price_list_id
            and windows.gpu_uuids is not distinct from fits.gpu_uuids
    where windows.used_for = 'fit'
    group by windows.price_list_id

),

proofs as (

    select
        price_list_id,
        cast(count(*) filter (where is_on_fitted_gpus) as integer) as proof_loads,
        max(abs(error)) filter (where is_on_fitted_gpus) as held_out_error,
        cast(count(*) filter (where not is_on_fitted_gpus) as integer) as other_gpus_loads,
        max(abs(error)) filter (where not is_on_fitted_gpus) as other_gpus_error
    from {{ ref('int_price_proofs') }}
    where is_within_measured
    group by price_list_id

)

select
    fitted.*,
    fits.* exclude (price_list_id),
    coalesce(proofs.proof_loads, 0) as proof_loads,
    proofs.held_out_error,
    coalesce(proofs.other_gpus_loads, 0) as other_gpus_loads,
    proofs.other_gpus_error,
    coalesce(
        proofs.proof_loads >= {{ var('fewest_price_proofs') }}
        and proofs.held_out_error <= {{ var('most_price_error') }},
        false
    ) as is_proven
from fits
inner join fitted using (price_list_id)
left join proofs using (price_list_id)
