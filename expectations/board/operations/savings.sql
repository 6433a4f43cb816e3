-- What the canaries of each release cost, and what waits because of them: the newest release first.
select
    canary_savings.runtime,
    canary_savings.runtime_version,
    canary_savings.gpu_model,
    canary_savings.canaries,
    canary_savings.canaries_not_unchanged,
    canary_savings.spent_gpu_hours,
    canary_savings.configurations_waiting,
    canary_savings.configurations_with_cost,
    canary_savings.saved_gpu_hours
from marts.canary_savings
inner join marts.release_summary
    on
        canary_savings.data_source = release_summary.data_source
        and canary_savings.runtime = release_summary.runtime
        and {{ release_of('canary_savings.runtime_version') }}
        = release_summary.runtime_version
where canary_savings.data_source = 'jouleboard'
order by canary_savings.runtime asc, release_summary.release_position desc, canary_savings.gpu_model asc
