-- Rows that came, went or moved since the publication before.
select *
from marts.publication_changes
order by change, data_source, task, nickname, gpu_model, num_gpus, batch_size, leaderboard_id
