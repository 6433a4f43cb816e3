with fits as (

    select distinct
        price_list_id,
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
        price_list_id,
        any_value(data_source) as data_source,
        any_value(model_id) as model_id,
        any_value(weight_precision) as weight_precision,
        any_value(gpu_model) as gpu_model,
        any_value(num_gpus) as num_gpus,
        any_value(tensor_parallel) as tensor_parallel,
        any_value(expert_parallel) as expert_parallel,
        any_value(data_parallel) as data_parallel,
        any_value(runtime) as runtime,
        any_value(runtime_version) as runtime_version,
        any_value(power_limit_watts) as power_limit_watts,
        any_value(weights) as weights,
        any_value(energy_boundary) as energy_boundary,
        any_value(model_revision) as model_revision,
        max(finished_at) as last_measured_at
    from {{ ref('int_priced_windows') }}
    where used_for = 'fit'
    group by price_list_id

),

proofs as (

    select
        price_list_id,
        cast(count(*) as integer) as proof_loads,
        max(abs(error)) as held_out_error
    from {{ ref('int_price_proofs') }}
    where is_within_measured
    group by price_list_id

)

select
    fitted.*,
    fits.* exclude (price_list_id),
    coalesce(proofs.proof_loads, 0) as proof_loads,
    proofs.held_out_error,
    coalesce(
        proofs.proof_loads >= {{ var('fewest_price_proofs') }}
        and proofs.held_out_error <= {{ var('most_price_error') }},
        false
    ) as is_proven
from fits
inner join fitted using (price_list_id)
left join proofs using (price_list_id)
