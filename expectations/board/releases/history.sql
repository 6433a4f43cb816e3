-- Every configuration that was measured under at least two releases, release by release.
select
    *,
    cast(count(*) over (partition by series_id) as integer) as releases
from marts.release_history
where data_source = 'jouleboard'
qualify releases > 1
order by
    releases desc,
    runtime asc,
    task asc,
    model_id asc,
    gpu_model asc,
    num_gpus asc,
    batch_size asc,
    weights asc,
    series_id asc,
    release_position asc
