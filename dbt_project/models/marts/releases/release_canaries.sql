with changes as (

    select * from {{ ref('int_canary_changes') }}

)

select
    changes.leaderboard_id,
    changes.old_leaderboard_id,
    changes.data_source,
    changes.kind,
    changes.nickname,
    {{ identity_columns('changes') }},
    changes.old_runtime_version,
    cast(changes.servers as integer) as servers,
    cast(changes.old_servers as integer) as old_servers,
    changes.energy_change,
    changes.energy_change_low,
    changes.energy_change_high,
    changes.margin,
    changes.verdict
from changes
order by
    changes.data_source,
    changes.runtime,
    changes.kind,
    changes.gpu_model,
    changes.model_id,
    changes.batch_size,
    changes.leaderboard_id,
    changes.old_leaderboard_id
