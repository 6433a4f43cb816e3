-- Rows that came, went or moved since each earlier publication.
select *
from marts.publication_changes
order by
    previous_publication_number desc,
    change asc,
    data_source asc,
    task asc,
    nickname asc,
    gpu_model asc,
    num_gpus asc,
    batch_size asc,
    leaderboard_id asc
