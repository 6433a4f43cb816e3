with reproduced as (

    select
        leaderboard_id,
        our_leaderboard_id,
        is_reproduced
    from {{ ref('int_rows_reproduced') }}

),

-- Steps, size and frames that most configurations of a model have, on a task, in a source.
generations as (

    select
        leaderboard_id,
        data_source,
        model_id,
        task,
        count(*) over (
            partition by data_source, model_id, task, inference_steps, height, width, num_frames
        ) as configurations_alike
    from {{ ref('int_configurations_averaged') }}

),

usual_generations as (

    select
        leaderboard_id,
        case
            when configurations_alike = max(configurations_alike) over of_model then 0
            else 1
        end as generation_order
    from generations
    window of_model as (partition by data_source, model_id, task)

),

rows_with_drafts as (

    select * from {{ ref('int_rows_with_drafts') }}

),

configurations as (

    select
        averaged.*,
        -- No model is at its best with an acceptance that nobody measured.
        case
            when rows_with_drafts.acceptance_is_prescribed then 2
            else usual_generations.generation_order
        end as generation_order,
        rows_with_drafts.speculative_method,
        rows_with_drafts.speculative_tokens,
        rows_with_drafts.acceptance_is_prescribed,
        rows_with_drafts.prescribed_acceptance_length,
        rows_with_drafts.acceptance_length,
        reproduced.our_leaderboard_id,
        {{ tier('averaged.data_source', 'reproduced.is_reproduced') }} as tier
    from {{ ref('int_configurations_averaged') }} as averaged
    inner join usual_generations using (leaderboard_id)
    left join rows_with_drafts using (leaderboard_id)
    left join reproduced using (leaderboard_id)

),

positions as (

    select
        leaderboard_id,
        row_number() over (
            partition by tier, comparability_any_source_id, task
            order by energy_per_output_joules, leaderboard_id
        ) as energy_position
    from configurations
    where energy_per_output_joules is not null and is_current_revision and generation_order = 0

),

-- Each row twice: among the rows of its tier, and among those of any tier.
rankable as (

    select
        leaderboard_id,
        unnest([tier, 'any tier']) as ranked_among,
        comparability_any_source_id,
        task,
        energy_per_output_joules,
        energy_per_output_low_joules,
        energy_per_output_high_joules
    from configurations
    where
        energy_per_output_joules is not null
        and energy_repeats >= {{ var('min_repeats_for_rank') }}
        and is_current_revision
        and generation_order = 0

),

gaps as (

    -- There is a gap before a row whose interval begins above every interval that begins before it.
    select
        *,
        energy_per_output_low_joules > max(energy_per_output_high_joules) over earlier as follows_gap,
        row_number() over (
            partition by ranked_among, comparability_any_source_id, task
            order by energy_per_output_low_joules, leaderboard_id
        ) as place
    from rankable
    window earlier as (
        partition by ranked_among, comparability_any_source_id, task
        order by energy_per_output_low_joules, leaderboard_id
        rows between unbounded preceding and 1 preceding
    )

),

ranked as (

    select
        leaderboard_id,
        ranked_among,
        max(case when place = 1 or follows_gap then place end) over (
            partition by ranked_among, comparability_any_source_id, task order by place
        ) as energy_rank
    from gaps

),

differences as (

    select * from {{ ref('weights_differences') }}

),

budgets as (

    select
        leaderboard_id,
        {{ sources_that("is_covered") }} as interval_covers,
        {{ sources_that("verdict = 'left out'") }} as interval_leaves_out,
        {{ sources_that("verdict = 'not measured'") }} as interval_not_measured,
        sqrt(sum(relative_size ^ 2) filter (verdict = 'left out')) as left_out_relative_size
    from {{ ref('int_uncertainty_budget') }}
    group by leaderboard_id

),

rows_unchanged as (

    select
        leaderboard_id,
        unchanged_version as canaries_unchanged_until
    from {{ ref('int_rows_unchanged') }}
    where is_newest

)

select
    configurations.leaderboard_id,
    configurations.data_source,
    configurations.tier,
    configurations.our_leaderboard_id,
    configurations.configuration_id,
    configurations.comparability_id,
    configurations.architecture,
    configurations.nickname,
    configurations.organisation,
    configurations.family,
    configurations.model_architecture,
    configurations.total_params_billions,
    configurations.activated_params_billions,
    {{ identity_columns('configurations') }},
    {{ weights_order('configurations.weights') }} as weights_order,
    configurations.generation_order,
    {{ weights_difference_columns('differences') }},
    configurations.is_current_revision,
    configurations.last_measured_at,
    rows_unchanged.canaries_unchanged_until,
    configurations.speculative_method,
    cast(configurations.speculative_tokens as integer) as speculative_tokens,
    configurations.acceptance_is_prescribed,
    configurations.prescribed_acceptance_length,
    configurations.acceptance_length,
    configurations.energy_source,
    configurations.output_unit,
    cast(configurations.frames_per_second as integer) as frames_per_second,
    cast(configurations.measurements as integer) as measurements,
    cast(configurations.repeats as integer) as repeats,
    cast(configurations.energy_repeats as integer) as energy_repeats,
    cast(configurations.energy_gpus as integer) as energy_gpus,
    cast(configurations.energy_servers as integer) as energy_servers,
    configurations.energy_per_output_joules,
    configurations.energy_per_output_low_joules,
    configurations.energy_per_output_high_joules,
    configurations.energy_per_output_stddev_joules,
    configurations.energy_within_run_interval,
    configurations.measurement_energy_spread,
    budgets.interval_covers,
    budgets.interval_leaves_out,
    budgets.interval_not_measured,
    budgets.left_out_relative_size,
    configurations.energy_per_response_joules,
    configurations.mlenergy_window_energy_per_output_joules,
    configurations.output_tokens_per_response,
    configurations.throughput_per_second,
    configurations.whole_run_throughput_per_second,
    configurations.mean_power_watts,
    configurations.mean_power_watts / nullif(configurations.num_gpus, 0) as mean_power_per_gpu_watts,
    configurations.tdp_watts,
    configurations.throughput_per_watt,
    configurations.mean_running_requests,
    configurations.mean_preprocessing_ms,
    configurations.server_cpu_cores,
    configurations.frontend_cpu_cores,
    configurations.mean_kv_cache_usage,
    configurations.max_kv_cache_usage,
    configurations.median_ttft_ms,
    configurations.p90_ttft_ms,
    configurations.p95_ttft_ms,
    configurations.p99_ttft_ms,
    configurations.median_itl_ms,
    configurations.p90_itl_ms,
    configurations.p95_itl_ms,
    configurations.p99_itl_ms,
    configurations.median_e2e_ms,
    configurations.p99_e2e_ms,
    configurations.batch_latency_seconds,
    cast(ranked.energy_rank as integer) as energy_rank,
    cast(among_all.energy_rank as integer) as energy_rank_of_any_tier,
    cast(positions.energy_position as integer) as energy_position
from configurations
left join positions using (leaderboard_id)
left join ranked
    on configurations.leaderboard_id = ranked.leaderboard_id and configurations.tier = ranked.ranked_among
left join ranked as among_all
    on configurations.leaderboard_id = among_all.leaderboard_id and among_all.ranked_among = 'any tier'
left join rows_unchanged using (leaderboard_id)
left join budgets using (leaderboard_id)
left join differences on {{ difference_of_weights('differences', 'configurations') }}
order by
    configurations.data_source, configurations.task, positions.energy_position, configurations.leaderboard_id
