with measurements as (

    select * from {{ ref('int_measurements_unioned') }}

),

runs as (

    select
        *,
        drafts_in_window is not null and accepted_tokens_in_window is not null
        and generated_tokens_in_window is not null as counted
    from {{ ref('int_runs_judged') }}

)

-- The options are part of the version, so all runs of a row have the same.
select
    measurements.leaderboard_id,
    any_value(runs.speculative_method) as speculative_method,
    any_value(runs.speculative_tokens) as speculative_tokens,
    any_value(runs.draft_hash) as draft_hash,
    bool_or(runs.acceptance_is_prescribed) as acceptance_is_prescribed,
    any_value(runs.prescribed_acceptance_length) as prescribed_acceptance_length,
    -- In every step the model writes one token itself, also in a step without a draft.
    1 + sum(runs.accepted_tokens_in_window) filter (runs.counted)
    / nullif(sum(runs.drafts_in_window) filter (runs.counted), 0) as acceptance_length,
    sum(runs.generated_tokens_in_window) filter (runs.counted)
    / nullif(sum(runs.generated_tokens_in_window - runs.accepted_tokens_in_window) filter (runs.counted), 0)
        as tokens_per_step,
    max(runs.other_server_options) as other_server_options
from measurements
inner join runs on measurements.measurement_id = runs.run_id
where runs.other_server_options is not null
group by all
