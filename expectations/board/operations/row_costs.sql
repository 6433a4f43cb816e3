-- What each published row of this project cost: all phases of its runs, over all GPUs.
select
    leaderboard.leaderboard_id,
    leaderboard.configuration_id,
    leaderboard.nickname,
    leaderboard.model_id,
    leaderboard.task,
    leaderboard.gpu_model,
    leaderboard.num_gpus,
    leaderboard.batch_size,
    leaderboard.weights,
    leaderboard.runtime,
    leaderboard.runtime_version,
    row_evidence.runs,
    row_evidence.gpu_seconds,
    row_evidence.energy_kwh
from marts.leaderboard
inner join marts.row_evidence using (leaderboard_id)
where leaderboard.data_source = 'jouleboard'
order by row_evidence.gpu_seconds desc nulls last, leaderboard.leaderboard_id asc
