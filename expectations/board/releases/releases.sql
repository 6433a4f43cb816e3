-- Every comparison of two versions of a runtime, for its newest pairs of versions, the newest first, and how
-- many pairs there are. shown: pairs of each runtime.
with

compared as (

    select
        *,
        cast(count(*) over pair as integer) as compared,
        cast(count(*) filter (energy_verdict = 'better') over pair as integer) as energy_better,
        cast(count(*) filter (energy_verdict = 'worse') over pair as integer) as energy_worse,
        median(energy_change) over pair as median_energy_change,
        median(latency_change) over pair as median_latency_change
    from marts.runtime_version_comparison
    window pair as (partition by data_source, runtime, old_runtime_version, runtime_version)

),

newest_first as (

    select
        compared.*,
        dense_rank() over (
            partition by compared.data_source, compared.runtime
            order by
                later.release_position desc nulls last,
                earlier.release_position desc nulls last,
                compared.runtime_version asc,
                compared.old_runtime_version asc
        ) as place
    from compared
    left join marts.release_summary as later
        on
            compared.data_source = later.data_source
            and compared.runtime = later.runtime
            and {{ release_of('compared.runtime_version') }} = later.runtime_version
    left join marts.release_summary as earlier
        on
            compared.data_source = earlier.data_source
            and compared.runtime = earlier.runtime
            and {{ release_of('compared.old_runtime_version') }}
            = earlier.runtime_version

)

select
    *,
    cast(max(place) over (partition by data_source, runtime) as integer) as pairs
from newest_first
qualify place <= {{ shown }}
order by
    runtime,
    data_source,
    place,
    nickname,
    task,
    gpu_model,
    num_gpus,
    batch_size,
    comparison_id
