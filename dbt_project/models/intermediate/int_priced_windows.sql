with runs as (

    select * from {{ ref('int_runs_derived') }}
    where is_accepted and status = 'completed' and energy_joules > 0

),

measurements as (

    select
        measurement_id as run_id,
        leaderboard_id as load_id,
        parallelism_id,
        gpu_uuids
    from {{ ref('int_measurements_unioned') }}

),

work as (

    select * from {{ ref('stg_jouleboard__window_work') }}

),

mixes as (

    select * from {{ ref('price_proof_mixes') }}

)

select
    measurements.load_id,
    runs.run_id,
    runs.data_source,
    {{ identity_columns('runs') }},
    measurements.gpu_uuids,
    runs.finished_at,
    runs.energy_joules,
    runs.steady_seconds as window_seconds,
    runs.steady_outputs as output_tokens,
    -- Half a 95 % interval is 1.96 standard deviations.
    coalesce(runs.energy_within_run_interval / {{ var('z_975') }}, 0) as relative_error,
    runs.idle_watts_loaded,
    work.prefill_tokens,
    work.prefill_pairs,
    work.idle_seconds,
    case
        when runs.request_rate = 0 then 'idle'
        when
            runs.fixed_prompt_tokens is null
            or runs.request_rate is not null
            or mixes.prompt_tokens is not null
            then 'proof'
        else 'fit'
    end as used_for,
    {{ hash_of(
        [
            'runs.data_source', 'runs.model_id', 'runs.weight_precision', 'runs.gpu_model', 'runs.num_gpus',
            'measurements.parallelism_id', 'runs.runtime', 'runs.runtime_version', 'runs.power_limit_watts',
            'runs.weights', 'runs.energy_boundary'
        ],
        known=['model_revision']
    ) }} as price_list_id
from runs
inner join measurements using (run_id)
inner join work using (run_id)
left join mixes
    on runs.fixed_prompt_tokens = mixes.prompt_tokens and runs.fixed_answer_tokens = mixes.answer_tokens
