-- Every row of the leaderboard with its place on the frontier and its evidence.
with evidence as (
    select * exclude (data_source, configuration_id)
    from marts.row_evidence
)

select
    leaderboard.*,
    evidence.*,
    leaderboard.leaderboard_id in (
        select min_energy_configurations.leaderboard_id from marts.min_energy_configurations
        where min_energy_configurations.scope = 'all-gpu-counts'
    ) as is_minimum,
    coalesce(time_energy_frontier.is_on_frontier, false) as is_on_frontier,
    time_energy_frontier.frontier_id,
    time_energy_frontier.dominated_by_gpu_model,
    time_energy_frontier.dominated_by_num_gpus,
    time_energy_frontier.dominated_by_batch_size
from marts.leaderboard
inner join evidence using (leaderboard_id)
left join marts.time_energy_frontier using (leaderboard_id)
order by
    lower(leaderboard.nickname) asc,
    leaderboard.model_id asc,
    leaderboard.gpu_model asc,
    leaderboard.num_gpus asc,
    leaderboard.batch_size asc,
    leaderboard.is_current_revision desc,
    leaderboard.runtime_version desc,
    leaderboard.energy_per_output_joules asc,
    leaderboard.leaderboard_id asc
