select
    {{ keys | join(', ') }},
    output_unit,
    max(finished_at) as last_measured_at,
    list({
        'gpus': gpu_uuids,
        'throughput': throughput_per_second,
        'energy': case when counts_for_energy then energy_per_output_joules end
    }) as runs
from run_log
where
    data_source = 'jouleboard'
    and counts_for_speed
group by all
order by
    last_measured_at,
    any_value(configuration_id)
